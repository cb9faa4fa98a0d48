// Elements are made node by node, and text goes in as text: records are other
// people's input, and nothing of it is ever taken as HTML.

const svgTags = new Set(['svg', 'path', 'circle', 'rect'])

// h makes an element. Properties that begin with "on" are handlers, "key" tells
// siblings apart when the tree is drawn again; the rest are attributes, and null,
// undefined and false leave them out. Children are nodes, texts, or lists of them.
export function h(tag, properties, ...children) {
  const element = svgTags.has(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
  element.handlers = {}
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name === 'key') element.key = value
    else if (name.startsWith('on')) element.handlers[name] = element[name] = value
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value)
  }
  add(element, children)
  return element
}

function add(parent, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(parent, child)
    else if (child instanceof Node) parent.append(child)
    else if (child !== null && child !== undefined && child !== false) parent.append(String(child))
  }
}

// slot stands for an element that lives longer than one drawing, such as a chart.
export function slot(element) {
  const stand = h('div', { 'data-slot': true })
  stand.slotted = element
  return stand
}

// filled puts what slots stand for into a tree that becomes visible as it is.
function filled(tree) {
  for (const stand of tree.querySelectorAll?.('[data-slot]') ?? []) stand.replaceWith(stand.slotted)
  return tree
}

// show makes what is under parent look like the new children, and changes as little
// as it can: focus, selection and what was typed stay where they are.
export function show(parent, ...children) {
  const fresh = document.createElement('div')
  add(fresh, children)
  matchChildren(parent, fresh)
}

function matchChildren(parent, fresh) {
  const keyed = new Map()
  for (const child of parent.childNodes) if (child.key !== undefined) keyed.set(child.key, child)
  let at = parent.firstChild
  for (const next of [...fresh.childNodes]) {
    const old = next.slotted ?? (next.key === undefined ? at : keyed.get(next.key))
    if (next.slotted || (old && alike(old, next))) {
      if (old === at) at = at.nextSibling
      else parent.insertBefore(old, at)
      if (!next.slotted) match(old, next)
    } else if (at && at.key === undefined && !at.slotIn && next.key === undefined) {
      const gone = at
      at = at.nextSibling
      gone.replaceWith(filled(next))
    } else {
      parent.insertBefore(filled(next), at)
    }
  }
  while (at) {
    const gone = at
    at = at.nextSibling
    gone.remove()
  }
}

function alike(old, next) {
  return old.nodeType === next.nodeType && old.nodeName === next.nodeName && old.key === next.key && !old.slotIn
}

function match(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data
    return
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value)
  }
  for (const { name } of [...old.attributes]) {
    // The browser sets and clears these by itself.
    if (!next.hasAttribute(name) && name !== 'open') old.removeAttribute(name)
  }
  for (const name of Object.keys(old.handlers ?? {})) if (!next.handlers[name]) old[name] = null
  for (const [name, handler] of Object.entries(next.handlers ?? {})) old[name] = handler
  old.handlers = next.handlers
  // What the user types into belongs to the user until it is made anew.
  if (old.nodeName === 'SELECT' || old.nodeName === 'TEXTAREA') return
  matchChildren(old, next)
}

// held marks an element for slot, so that drawing does not take it for its own.
export function held(element) {
  element.slotIn = true
  return element
}
