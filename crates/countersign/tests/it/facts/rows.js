// The facts of each row of the list that is open: [name, text] pairs by row.
const text = (css, of) => of.querySelector(css)?.textContent ?? '';
const rows = [];
for (const row of document.querySelectorAll('ul.rows > li')) {
  const facts = [];
  const fact = (name, value) => value && facts.push([name, value]);
  fact('id', row.querySelector('a').getAttribute('href').replace('/proposals/', ''));
  fact('headline', text('.row-head', row));
  const due = row.querySelector('.row-due');
  fact('when', due.firstChild.data.toLowerCase() + ' ' + due.querySelector('time').dateTime.slice(0, 16).replace('T', ' '));
  const about = row.querySelector('.row-facts');
  fact('state', text('.badge:not(.yours)', about) || 'Waiting for approval');
  fact('money', text('.money', about));
  fact('irreversible', text('.warn', about));
  fact('action', text('code', about));
  fact('why', text('.row-why', row));
  const yours = about.querySelector('.yours') || row.closest('section[aria-labelledby=yours]');
  fact('yours', yours && 'yours');
  const who = about.cloneNode(true);
  who.querySelectorAll('.badge, .money, .warn, code').forEach(e => e.remove());
  fact('who', who.textContent);
  // Each letter that passes for another is marked.
  row.querySelectorAll('mark').forEach(mark => [...mark.textContent].forEach(letter =>
    fact('letter', 'U+' + letter.codePointAt(0).toString(16).toUpperCase().padStart(4, '0'))));
  rows.push(facts);
}
return rows;
