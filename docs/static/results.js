// Below each result of a search: what the page, the function or the word is.
const explain = () => {
  for (const link of document.querySelectorAll('#search-results li > a:not(.explained)')) {
    link.classList.add('explained')
    const [address, anchor] = link.getAttribute('href').split('#')
    const page = address.split('?')[0]
    const line = LINES[anchor ? `${page}#${anchor}` : page]
    if (!line) continue
    const said = document.createElement('p')
    said.className = 'context'
    said.textContent = line
    link.after(said)
  }
}
new MutationObserver(explain).observe(document.getElementById('search-results'), {childList: true, subtree: true})
