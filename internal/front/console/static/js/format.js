// How numbers, sizes, times and durations are written. Numbers of 64 bits come as
// strings; for showing them a float is exact enough, for offsets it is not.

const whole = new Intl.NumberFormat('en-GB')
const short = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 })

export const number = n => whole.format(typeof n === 'string' ? BigInt(n) : Math.round(n ?? 0))
export const compact = n => Math.abs(Number(n ?? 0)) < 100000 ? number(n) : short.format(Number(n))

// count writes "1 record", "2 records".
export const count = (n, one, many = one + 's') => `${number(n ?? 0)} ${BigInt(n ?? 0) === 1n ? one : many}`

export function bytes(n) {
  let value = Number(n ?? 0)
  if (value < 1024) return `${Math.round(value)} B`
  for (const unit of ['KiB', 'MiB', 'GiB', 'TiB']) {
    value /= 1024
    if (value < 1024 || unit === 'TiB') return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`
  }
}

// seconds reads a duration of the API, such as "1.5s"; undefined if there is none.
export const seconds = duration => duration === undefined || duration === null ? undefined : parseFloat(duration)

export function duration(value) {
  const s = typeof value === 'string' ? seconds(value) : value
  if (s === undefined || Number.isNaN(s)) return '–'
  if (s === 0) return '0 s'
  if (s < 0.001) return `${Math.round(s * 1e6)} µs`
  if (s < 0.01) return `${(s * 1000).toFixed(1)} ms`
  if (s < 1) return `${Math.round(s * 1000)} ms`
  if (s < 60) return `${s < 10 && s % 1 ? s.toFixed(1) : Math.round(s)} s`
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']]
  const first = parts.findIndex(([size]) => s >= size)
  const [size, unit] = parts[first]
  const [small, smallUnit] = parts[first + 1]
  const rest = Math.floor(s % size / small)
  return `${Math.floor(s / size)} ${unit}${rest ? ` ${rest} ${smallUnit}` : ''}`
}

const two = n => String(n).padStart(2, '0')
export const clock = t => `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`
export const day = t => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`

// time writes a timestamp of the API in local time, to the millisecond.
export function time(stamp) {
  if (!stamp) return '–'
  const t = new Date(stamp)
  return `${day(t)} ${clock(t)}.${String(t.getMilliseconds()).padStart(3, '0')}`
}

// date is the same to the second, for what happened long ago.
export const date = stamp => stamp ? time(stamp).slice(0, 19) : '–'

export function ago(stamp) {
  if (!stamp) return '–'
  const s = Math.round((Date.now() - new Date(stamp)) / 1000)
  return s < 2 ? 'just now' : `${coarse(s)} ago`
}

// coarse is a duration in its largest unit only.
export const coarse = value => duration(value).split(' ').slice(0, 2).join(' ')

// wire writes what a person typed as a duration (90, 90s, 15m, 1.5h, 4d) for the API.
export function wire(text) {
  const t = text.trim()
  if (!t) return undefined
  const m = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?$/.exec(t)
  if (!m) throw new Error(`“${t}” is not a duration. Write 30s, 15m, 4h or 2d.`)
  const size = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86400 }[m[2] ?? 's']
  return `${+(m[1] * size).toFixed(6)}s`
}

// typed is the other way: how a person would type it.
export function typed(value) {
  const s = seconds(value)
  if (s === undefined) return ''
  for (const [size, unit] of [[86400, 'd'], [3600, 'h'], [60, 'm']]) if (s >= size && s % size === 0) return `${s / size}${unit}`
  return `${s}s`
}
