// A real authorization server (oidc-provider) that gives agents access tokens for the gate as its resource.
// Arguments: port (0 for any), algorithm, name of its key. Prints one line, its issuer, and stops when its standard
// input ends. Each start makes a new key.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider, { errors } from 'oidc-provider';

const [port, algorithm, kid] = process.argv.slice(2);
const kinds = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};
const { privateKey } = kinds[algorithm]();
const server = createServer();

server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const client = (id) => ({
    client_id: id,
    client_secret: `${id}-secret`,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: algorithm,
    scope: 'propose',
  });
  const provider = new Provider(issuer, {
    clients: [client('bot'), client('stranger')],
    cookies: { keys: ['test'] },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm }] },
    enabledJWA: { idTokenSigningAlgValues: [algorithm] },
    scopes: ['propose'],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, asked) => {
          if (!asked.startsWith('https://')) throw new errors.InvalidTarget();
          return {
            audience: asked,
            scope: 'propose',
            accessTokenFormat: 'jwt',
            accessTokenTTL: 300,
            jwt: { sign: { alg: algorithm } },
          };
        },
      },
    },
  });
  provider.on('server_error', (_, error) => console.error(error));
  server.on('request', provider.callback());
  console.log(issuer);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
