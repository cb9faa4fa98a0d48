// Keys and values: what is in them, and the three ways to look at it.
import { h } from './dom.js'

const previewMax = 300
const shownMax = 256 * 1024

const decode64 = text => Uint8Array.from(atob(text), c => c.charCodeAt(0))

// payload takes a value (or key) of the API apart. text is undefined if it is not
// UTF-8; bytes is null if there is none at all.
export function payload(text, base64) {
  if (text !== undefined) return { text, bytes: () => new TextEncoder().encode(text), none: false }
  if (base64 !== undefined) {
    const content = decode64(base64)
    return { bytes: () => content, none: false }
  }
  return { none: true, bytes: () => new Uint8Array() }
}

export const valueOf = r => payload(r.text, r.bytes)
export const keyOf = r => payload(r.keyText, r.keyBytes)

export const sizeOf = p => p.none ? 0 : p.bytes().length

const asText = p => p.text ?? new TextDecoder().decode(p.bytes())

function asJson(p) {
  try {
    return JSON.stringify(JSON.parse(asText(p)), null, 2)
  } catch {
    return undefined
  }
}

// asHex writes lines of an offset, sixteen bytes, and what of them is ASCII.
export function asHex(bytes) {
  const lines = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)]
    const hex = row.map(b => b.toString(16).padStart(2, '0'))
    const left = hex.slice(0, 8).join(' ').padEnd(23), right = hex.slice(8).join(' ').padEnd(23)
    const ascii = row.map(b => b > 31 && b < 127 ? String.fromCharCode(b) : '.').join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${left}  ${right}  ${ascii}`)
  }
  return lines.join('\n')
}

// preview is one line for a table.
export function preview(p, mode) {
  if (p.none) return h('span', { class: 'null' }, 'null')
  const bytes = p.bytes()
  if (!bytes.length) return h('span', { class: 'null' }, 'empty')
  if (mode === 'hex' || (p.text === undefined && mode !== 'text')) {
    const hex = [...bytes.subarray(0, 48)].map(b => b.toString(16).padStart(2, '0')).join(' ')
    return h('span', {}, hex + (bytes.length > 48 ? ' …' : ''))
  }
  const text = asText(p).slice(0, previewMax).replace(/\s+/g, ' ')
  return h('span', {}, text)
}

// whole is all of it, for the detail below a row.
export function whole(p, mode) {
  if (p.none) return h('p', { class: 'note' }, 'null: there is no value')
  const bytes = p.bytes()
  const cut = bytes.length > shownMax
  const part = cut ? { text: p.text?.slice(0, shownMax), bytes: () => bytes.subarray(0, shownMax) } : p
  const json = mode === 'json' ? asJson(p) : undefined
  const notes = []
  if (mode === 'json' && json === undefined) notes.push('This is not JSON; it is shown as text.')
  if (mode !== 'hex' && p.text === undefined) notes.push('This is not UTF-8; bytes that are no text show as �. See hex.')
  if (cut && json === undefined) notes.push(`Only the first ${shownMax / 1024} KiB are shown.`)
  return [
    notes.map(n => h('p', { class: 'note' }, n)),
    h('pre', { class: 'payload', tabindex: '0' }, mode === 'hex' ? asHex(part.bytes()) : json ?? asText(part)),
  ]
}

export const modes = ['text', 'json', 'hex']
export const modeNames = { text: 'Text', json: 'JSON', hex: 'Hex' }
