// The page is complete without this. With it the page renews itself, says how long ago things were,
// copies command lines, finds, and opens a database or template without being loaded again.
'use strict'

const element = (id) => document.getElementById(id)

// ---- changes ------------------------------------------------------------------------------------

// Of a table a body can be a block, and so can a row: only a template element may contain either.
const made = (markup) => {
  const template = document.createElement('template')
  template.innerHTML = markup
  return template.content.firstElementChild
}

// What the reader has opened stays open, and where the focus was it is again.
const replace = (old, fresh) => {
  const focused = old.contains(document.activeElement) ? document.activeElement : null
  for (const open of old.querySelectorAll('details[open][id]')) {
    const again = fresh.querySelector('#' + CSS.escape(open.id))
    if (again) again.open = true
  }
  const place = focused && [...old.querySelectorAll('a, button, summary')].indexOf(focused)
  old.replaceWith(fresh)
  if (!focused) return
  const again = focused.id ? element(focused.id) : fresh.querySelectorAll('a, button, summary')[place]
  if (again) again.focus({ preventScroll: true })
}

const change = (name, { order, blocks }) => {
  const box = element(name)
  for (const [id, markup] of Object.entries(blocks)) {
    const fresh = made(markup)
    const old = element(id)
    if (!old) box.append(fresh)
    else if (!old.isEqualNode(fresh)) replace(old, fresh)
  }
  const wanted = new Set(order)
  for (const child of [...box.children]) if (child.id && !wanted.has(child.id)) child.remove()
  let next = null
  for (const id of order.toReversed()) {
    const block = element(id)
    if (block.nextElementSibling !== next) box.insertBefore(block, next)
    next = block
  }
}

// ---- the stream of changes ----------------------------------------------------------------------

let events = null
let offset = 0 // of the server's clock
let heard = 0

const say = (kind, text) => {
  const live = element('live')
  if (live.className === kind && live.textContent === text) return
  live.className = kind
  live.textContent = text
}

const receive = ({ at, error, sections }) => {
  heard = Date.now()
  if (at) offset = at * 1000 - heard
  for (const [name, changes] of Object.entries(sections)) change(name, changes)
  decorate(document)
  if (error) say('lost', 'server away')
  else say('live', 'live')
}

const follow = (after) => {
  if (events) events.close()
  events = new EventSource('/events' + location.search)
  events.onmessage = (message) => {
    receive(JSON.parse(message.data))
    if (after) after()
    after = null
  }
  events.onerror = () => {
    say('lost', 'gateway away')
    // Where it was refused the browser does not try again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 3000)
  }
}

// ---- going to a database or template, and back --------------------------------------------------

const look = (address, push) => {
  if (push) history.pushState(null, '', address)
  follow(() => {
    const title = element('inspector-title')
    if (!title) return element(came)?.focus()
    title.focus({ preventScroll: true })
    element('inspector').scrollIntoView({ block: 'nearest' })
  })
}
let came = null // where the reader came from

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="/?"], a[href="/"]')
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  if (!link.closest('#inspector')) came = link.id
  look(link.getAttribute('href'), true)
})
addEventListener('popstate', () => look(location.href, false))

// ---- by keyboard --------------------------------------------------------------------------------

// Of the cells of a pool the tabulator finds one; arrows lead to the others.
const row_of = (cells, from, direction) => {
  const { top, left } = from.getBoundingClientRect()
  const beyond = cells.filter((cell) => direction * (cell.getBoundingClientRect().top - top) > 4)
  if (direction < 0) beyond.reverse()
  const row = beyond.length && beyond[0].getBoundingClientRect().top
  const near = beyond.filter((cell) => Math.abs(cell.getBoundingClientRect().top - row) < 4)
  return near.sort((a, b) => Math.abs(a.getBoundingClientRect().left - left) - Math.abs(b.getBoundingClientRect().left - left))[0]
}

const move = (cells, from, key) => {
  const at = cells.indexOf(from)
  switch (key) {
    case 'ArrowRight': return cells[at + 1]
    case 'ArrowLeft': return cells[at - 1]
    case 'ArrowDown': return row_of(cells, from, 1)
    case 'ArrowUp': return row_of(cells, from, -1)
    case 'Home': return cells[0]
    case 'End': return cells.at(-1)
    default: return null
  }
}

document.addEventListener('keydown', (event) => {
  const typing = event.target.matches('input')
  if (event.key === 'Escape' && typing && event.target.value) return
  if (event.key === 'Escape' && location.search) return look('/', true)
  if (event.key === '/' && !typing) {
    event.preventDefault()
    return element('find').focus()
  }
  const box = event.target.closest('.cells')
  if (!box || event.metaKey || event.ctrlKey || event.altKey) return
  const to = move([...box.children], event.target, event.key)
  if (!to) return
  event.preventDefault()
  event.target.tabIndex = -1
  to.tabIndex = 0
  to.focus()
})

// ---- what stands in the page --------------------------------------------------------------------

const age = (milliseconds) => {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 100) return `${seconds} s`
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86400)} days`
}

const tell_ages = () => {
  for (const time of document.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime)
    const text = age(Date.now() + offset - at) + ' ago'
    if (time.textContent === text) continue
    time.textContent = text
    time.title = at.toLocaleString()
  }
  if (heard && Date.now() - heard > 25000) say('lost', 'gateway away')
}

const find = () => {
  const words = element('find').value.toLowerCase().split(/\s+/).filter(Boolean)
  const hide = (block, text) => {
    block.hidden = !words.every((word) => text.toLowerCase().includes(word))
  }
  for (const id of ['kept', 'templates', 'leases', 'workers', 'gone'])
    for (const block of element(id).children)
      if (block.id) hide(block, block.textContent + [...block.querySelectorAll('[aria-label]')].map((each) => each.ariaLabel).join(' '))
}

const decorate = (within) => {
  for (const button of within.querySelectorAll('button.copy[hidden]')) button.hidden = false
  for (const box of within.querySelectorAll('.cells')) {
    if (box.querySelector('[tabindex="0"]')) continue
    for (const cell of box.children) cell.tabIndex = -1
    if (box.firstElementChild) box.firstElementChild.tabIndex = 0
    if (box.contains(document.activeElement)) document.activeElement.tabIndex = 0
  }
  tell_ages()
  if (element('find').value) find()
}

// The clipboard is for pages from this machine or by HTTPS; elsewhere the line is selected and copied as of old.
const copy = async (line) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(line.textContent)
  getSelection().selectAllChildren(line)
  document.execCommand('copy')
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button.copy')
  if (!button) return
  await copy(button.previousElementSibling)
  button.textContent = 'Copied'
  setTimeout(() => { button.textContent = 'Copy' }, 2000)
})

element('find').addEventListener('input', find)
document.querySelector('.find').hidden = false
decorate(document)
follow()
setInterval(tell_ages, 1000)
