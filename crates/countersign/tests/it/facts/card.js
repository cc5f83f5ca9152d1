// The facts of the proposal page that is open: [name, text] pairs, named as the terminal names them. Everything that is
// read is removed from a copy of the page; what is left over is returned as well, so that no fact is passed by.
const main = document.querySelector('main').cloneNode(true);
const facts = [];
const all = (css, of = main) => [...of.querySelectorAll(css)];
const text = (css, of = main) => of.querySelector(css)?.textContent ?? '';
const fact = (name, value) => facts.push([name, value]);
const gone = css => all(css).forEach(e => e.remove());
const take = (css, read) => all(css).forEach(e => { read(e); e.remove(); });
// A block's lines, and a text with what it opens, are each one text.
const value = e => all('.line', e).length ? all('.line', e).map(l => l.textContent).join('\n') : e.textContent;

take('.letters li', e => fact('letter', e.textContent.match(/U\+[0-9A-F]+/)[0]));
gone('.letters');
all('time').forEach(t => t.replaceWith(t.dateTime));
// The log has its own command, and forms are how a person answers in a browser.
gone('.record, .decision-bar, #moved, .decide form, .decide hr, section[aria-labelledby=cancel]');
const stays = text('details.same > summary') === 'The record as it is now' ? 'now' : 'unchanged';
gone('summary');

take('.lead .kicker', e => {
  const [label, title] = all('span', e).map(s => s.textContent);
  fact('label', label);
  fact('action', `${text('code', e)}: ${title}, in ${text('.env', e)}`);
});
take('#headline', e => fact('headline', e.textContent));
take('.chips .red', e => fact('caution', e.textContent));
take('.chips', e => fact('risk', all('li', e).map(li => li.textContent).join(', ')));
const link = li => `${text('strong', li)} (${text('.kind', li).toLowerCase()} ${text('code', li)}, ${li.lastElementChild.textContent})`;
take('.chain', e => fact('who', all('li', e).map(link).join(' → ')));
take('.lead .caution', e => fact('caution', e.textContent));

take('.ask', e => {
  const rules = all('.rules li', e);
  const names = rules.map(li => text('.rule-name', li)).join(', ');
  fact('asks', `${text('.ask-reason', e)} (${text('.ask-policy code', e)}, ${names})`);
  rules.filter(li => li.querySelector('.have')).forEach(li => {
    const able = text('.rule-who', li);
    fact('approvals', `${text('.have', li)} from ${text('.rule-name', li)}${able && ': ' + able}`);
  });
});
take('section[aria-labelledby=why] > .caution', e => fact('first', e.textContent));
take('.due', e => {
  const label = e.querySelector('span');
  label.remove();
  fact(label.textContent, e.textContent);
});
take('.approvals li', e => {
  const void_ = e.classList.contains('void') ? ', no longer counts' : '';
  const comment = e.querySelector('.quote');
  const at = e.textContent.match(/\d{4}-\d\d-\d\dT[\d:.]+Z/)[0];
  const said = comment ? ': ' + value(comment) : '';
  fact('approved', `${text('strong', e)} (${text('code', e)}) at ${at}${void_}${said}`);
});
take('section[aria-labelledby=why] > p:not(.muted)', e => fact('asks', e.textContent));

take('.fidelity', e => fact('preview', `${text('.badge', e)}: ${e.lastElementChild.textContent}`));
const cell = e => {
  if (e.querySelector('.absent')) return 'not there';
  const money = e.querySelector('.amount');
  money?.remove();
  return money ? `${money.textContent} (${value(e)})` : value(e);
};
take('table.diff tbody tr', e => {
  const kind = e.querySelector('th .kind');
  kind.remove();
  fact(kind.textContent, `${text('th', e)}: ${cell(e.querySelector('.before'))} → ${cell(e.querySelector('.after'))}`);
});
gone('table.diff');
take('details.same', e => all('dl > div', e).forEach(row =>
  fact(stays, `${text('dt', row)}: ${cell(row.querySelector('dd'))}`)));
take('.source', e => {
  const read = e.querySelector('.code');
  const at = e.textContent.match(/\d{4}-\d\d-\d\dT[\d:.]+Z/)[0];
  if (read) fact('read with', `${read.textContent} at ${at}`); else fact('made at', at);
});
take('section[aria-labelledby=diff] > .caution', e => fact('caution', e.textContent));
take('section[aria-labelledby=diff] > p', e => fact('note', e.textContent));
take('.effects li', e => fact('also', e.textContent));
take('.fact', e => {
  const said = e.querySelector('div');
  const owner = said.querySelector('.muted');
  owner?.remove();
  if (owner) fact('owner', owner.textContent.replace('Answered for by ', '').replace(/\.$/, ''));
  fact(text('strong', e) === 'Way back' ? 'way back' : 'guard', said.textContent);
});

take('.callline', e => fact('call', e.textContent));
take('section[aria-label="Exact request"] dl > div', e => {
  const [name, dd] = [text('dt', e), e.querySelector('dd')];
  const muted = dd.querySelector('.muted');
  if (name === 'Credential') fact('credential', dd.textContent.replace(muted.textContent, '') === '' ? 'none' :
    `${dd.textContent.replace(muted.textContent, '')}, ${muted.textContent}`);
  else if (name === 'If sent twice') fact('sent twice', dd.textContent);
  else fact('header', `${name}: ${dd.textContent}`);
});
const request = main.querySelector('section[aria-label="Exact request"]');
const blocks = all('.block', request);
fact('input', value(blocks.pop()));
blocks.forEach(e => fact('body', value(e)));
gone('section[aria-label="Exact request"]');
const names = { Intent: 'intent', Decision: 'decision', 'This card': 'card', 'Policy set': 'policies',
  Proposal: 'proposal', Proposed: 'proposed' };
take('.prints > div', e => fact(names[text('dt', e)] ?? text('dt', e), text('dd', e)));

take('.status', e => {
  fact('label', text('#status', e));
  fact('state', `${text('#status', e)}. ${text('.said', e)}`);
  all('.caution', e).forEach(c => fact('caution', c.textContent));
  const block = e.querySelector('.block');
  if (block) fact('answer', `${text('p code', e)} ${text('p .muted', e)}: ${value(block)}`);
});
take('section[aria-labelledby=whynot] .said', e => fact('not yours', e.textContent));
take('section[aria-labelledby=confirm]', () =>
  fact('for you', 'The agent says that it acts for you. Confirm it if you asked for this.'));
take('.decide', () => fact('yours', 'You can approve or reject it.'));

all('section.words h3').forEach(h => {
  const first = h.nextElementSibling;
  if (h.textContent === 'Attached') fact(`attached, ${first.textContent}`, value(first.nextElementSibling));
  else fact(h.textContent, value(first));
});
gone('section.words h3, section.words div');

gone('h2, h3');
const left = [];
const walk = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) if (walk.currentNode.data.trim()) left.push(walk.currentNode.data.trim());
return { facts, left };
