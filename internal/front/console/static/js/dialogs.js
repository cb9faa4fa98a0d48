// Dialogs and notices. All are <dialog>: Esc closes, focus stays inside and returns.
import { h } from './dom.js'
import { inWords } from './api.js'

export function toast(text, bad = false) {
  const note = h('div', { class: bad ? 'toast bad' : 'toast' }, text)
  document.getElementById('toasts').append(note)
  setTimeout(() => note.remove(), bad ? 8000 : 4000)
}

export function open(title, ...children) {
  const id = `d${Math.random().toString(36).slice(2)}`
  const dialog = h('dialog', { 'aria-labelledby': id },
    h('header', {}, h('h2', { id }, title), h('button', { type: 'button', class: 'icon', 'aria-label': 'Close', onclick: () => dialog.close() }, '×')),
    ...children)
  // A click beside it closes it; one that began inside, such as a selection, does not.
  dialog.addEventListener('mousedown', e => { dialog.outside = e.target === dialog })
  dialog.addEventListener('click', e => { if (e.target === dialog && dialog.outside) dialog.close() })
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}

// ask shows a form and calls act with what was filled in; it closes when that
// succeeds, and says in words why not when it fails.
export function ask({ title, fields = [], intro, action, danger = false, act }) {
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true })
  const button = h('button', { class: danger ? 'danger' : 'primary', type: 'submit' }, action)
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel')
  const form = h('form', { class: 'fields', novalidate: true }, intro, fields.map(f => f.element), problem,
    h('div', { class: 'actions' }, cancel, button))
  form.onsubmit = async e => {
    e.preventDefault()
    button.disabled = true
    problem.hidden = true
    try {
      const values = {}
      for (const f of fields) if (f.name) values[f.name] = f.read()
      await act(values)
      dialog.close()
    } catch (failure) {
      problem.textContent = inWords(failure)
      problem.hidden = false
    } finally {
      button.disabled = false
    }
  }
  form.onkeydown = e => {
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) form.requestSubmit()
  }
  const dialog = open(title, form)
  const first = form.querySelector('input:not([type=checkbox]), select, textarea')
  if (danger) cancel.focus()
  else (first ?? button).focus()
  return dialog
}

// confirm asks before something that cannot be undone; consequences say exactly what
// will be gone.
export function confirm({ title, consequences, action, act }) {
  return ask({
    title, action, act, danger: true,
    intro: h('div', { class: 'consequences' }, consequences.filter(Boolean).map(c => h('p', {}, c)), h('p', { class: 'note' }, 'This cannot be undone.')),
  })
}

function labelled(label, hint, control) {
  return h('label', { class: 'field' }, h('span', { class: 'label' }, label), control, hint && h('span', { class: 'hint' }, hint))
}

export function text(name, label, { value = '', hint, list, ...more } = {}) {
  const id = list && `l-${name}`
  const control = h('input', { name, value, autocomplete: 'off', spellcheck: 'false', list: id, ...more })
  const options = list && h('datalist', { id }, list.map(o => h('option', { value: o })))
  return { name, read: () => control.value, control, element: labelled(label, hint, [control, options]) }
}

export function area(name, label, { value = '', hint, rows = 5, ...more } = {}) {
  const control = h('textarea', { name, rows, spellcheck: 'false', autocomplete: 'off', ...more })
  control.value = value
  return { name, read: () => control.value, control, element: labelled(label, hint, control) }
}

export function choice(name, label, options, { value, hint } = {}) {
  const control = h('select', { name }, options.map(([v, l]) => h('option', { value: v, selected: v === value }, l)))
  return { name, read: () => control.value, control, element: labelled(label, hint, control) }
}

export function check(name, label, { value = false, hint } = {}) {
  const control = h('input', { type: 'checkbox', name, checked: value })
  return {
    name, control, read: () => control.checked,
    element: h('label', { class: 'check' }, control, h('span', {}, label, hint && h('span', { class: 'hint' }, hint))),
  }
}

// row puts fields side by side; only the fields themselves are read.
export function row(...fields) {
  return [{ element: h('div', { class: 'row' }, fields.map(f => f.element)) }, ...fields.map(f => ({ ...f, element: null }))]
}

// headersOf reads lines of name=value.
export function headersOf(lines) {
  return lines.split('\n').filter(l => l.trim()).map(l => {
    const at = l.indexOf('=')
    if (at < 1) throw new Error(`The header “${l.trim()}” is not NAME=VALUE.`)
    return { name: l.slice(0, at).trim(), text: l.slice(at + 1) }
  })
}

export function positive(textValue, what, least = 0) {
  const t = textValue.trim()
  if (!t) return undefined
  if (!/^\d+$/.test(t) || Number(t) < least) throw new Error(`“${t}” is not a number for ${what}. Write ${least} or more.`)
  return Number(t)
}
