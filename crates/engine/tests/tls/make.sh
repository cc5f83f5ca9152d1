#!/bin/sh
# Makes the certificates of the TLS tests anew. They live for a century; the keys protect nothing.
set -eu
cd "$(dirname "$0")"
rm -f ./*.pem

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj "/CN=$2" \
        -keyout "$1.key.pem" -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}

# leaf NAME AUTHORITY FROM UNTIL EXTENSIONS
leaf() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
        -keyout "$1.key.pem" -out "$1.csr.pem" 2>/dev/null
    printf '%b' "$5" > "$1.ext.pem"
    : > index.pem
    openssl ca -batch -notext -config ca.cnf -cert "$2.pem" -keyfile "$2.key.pem" -in "$1.csr.pem" \
        -out "$1.pem" -startdate "$3" -enddate "$4" -extfile "$1.ext.pem" 2>/dev/null
    rm -f "$1.csr.pem" "$1.ext.pem"
}

past=20200101000000Z
far=21200101000000Z
san='subjectAltName=DNS:localhost,IP:127.0.0.1\n'
server='extendedKeyUsage=serverAuth\n'

authority authority "Countersign test authority"
authority stranger "Unknown authority"
leaf good authority "$past" "$far" "$san$server"
leaf expired authority "$past" 20210101000000Z "$san$server"
leaf early authority 21100101000000Z "$far" "$san$server"
leaf other-host authority "$past" "$far" "subjectAltName=DNS:example.com\n$server"
leaf name-only authority "$past" "$far" "$server"
leaf client-only authority "$past" "$far" "${san}extendedKeyUsage=clientAuth\n"
leaf unknown-authority stranger "$past" "$far" "$san$server"
leaf not-authority authority "$past" "$far" "basicConstraints=CA:FALSE\n$san$server"
leaf by-leaf not-authority "$past" "$far" "$san$server"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj "/CN=localhost" \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout self-signed.key.pem -out self-signed.pem 2>/dev/null
rm -f [0-9A-F]*.pem index.pem* authority.key.pem stranger.key.pem not-authority.key.pem ./*.old
