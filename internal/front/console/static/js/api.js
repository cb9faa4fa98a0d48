// The REST API of the server that served this page.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message)
    Object.assign(this, { name: 'ApiError', status, code })
  }
}

async function call(method, path, body, { signal, headers } = {}) {
  let answer
  try {
    answer = await fetch(path, {
      method,
      signal,
      headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
    })
  } catch (e) {
    if (e.name === 'AbortError') throw e
    throw new ApiError(0, 'unavailable', `The server at ${location.host} does not answer.`)
  }
  const text = await answer.text()
  if (!answer.ok) throw refusal(answer, text)
  try {
    return text ? JSON.parse(text) : {}
  } catch {
    throw new ApiError(answer.status, 'internal', `The server's answer to ${method} ${path} is not JSON.`)
  }
}

function refusal(answer, text) {
  try {
    const { code, message } = JSON.parse(text)
    return new ApiError(answer.status, code, message || code)
  } catch {
    return new ApiError(answer.status, 'unknown', text.trim().slice(0, 300) || `The server answered ${answer.status} ${answer.statusText}.`)
  }
}

const codes = {
  not_found: 'Not found', already_exists: 'It exists already', invalid_argument: 'Not accepted',
  failed_precondition: 'Not possible now', permission_denied: 'Not allowed', unauthenticated: 'Not signed in',
  resource_exhausted: 'A limit was reached', unavailable: 'Not available', deadline_exceeded: 'It took too long',
  unimplemented: 'This server cannot do that', internal: 'The server failed', data_loss: 'Data is damaged',
  out_of_range: 'Out of range', aborted: 'Something else came first',
}

// inWords says an error to a person: what kind, then what the server said.
export function inWords(error) {
  if (!(error instanceof ApiError)) return error.message
  const kind = codes[error.code]
  return kind ? `${kind}: ${error.message}` : error.message
}

const part = encodeURIComponent

export function query(parameters) {
  const q = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== '') q.append(name, one)
  }
  return q.size ? `?${q}` : ''
}

export const get = (path, parameters = {}, options) => call('GET', path + query(parameters), undefined, options)

// pages reads a list to its end, within a limit that a page can show.
async function pages(path, field, parameters, options) {
  const all = []
  let pageToken
  do {
    const answer = await get(path, { ...parameters, pageToken }, options)
    all.push(...(answer[field] ?? []))
    pageToken = answer.nextPageToken
  } while (pageToken && all.length < 10000)
  return all
}

export const topicPath = topic => `/v1/topics/${part(topic)}`
export const queuePath = queue => `/v1/queues/${part(queue)}`
export const groupPath = group => `/v1/groups/${part(group)}`
export const triggerPath = trigger => `/v1/triggers/${part(trigger)}`

export const status = o => get('/v1/status', {}, o)
export const activity = (after, o) => get('/v1/activity', { after }, o)
export const cluster = o => get('/v1/cluster', {}, o)
export const connections = o => get('/v1/connections', {}, o)
export const settings = async o => (await get('/v1/settings', {}, o)).settings ?? []

export const topics = (internal, o) => pages('/v1/topics', 'topics', { internal: internal || undefined }, o)
export const topic = (name, o) => get(topicPath(name), {}, o)
export const createTopic = body => call('POST', '/v1/topics', body)
export const updateTopic = (name, body) => call('PATCH', topicPath(name), body)
export const deleteTopic = name => call('DELETE', topicPath(name))
export const trim = (name, partition, before) => call('POST', `${topicPath(name)}:trim`, { partition, before })
export const read = (name, parameters, o) => get(`${topicPath(name)}/records`, parameters, o)
export const recordsUrl = (name, parameters) => `${topicPath(name)}/records${query(parameters)}`
export const produce = (name, record) => call('POST', `${topicPath(name)}/records`, { records: [record] }, retriable())

export const queues = o => pages('/v1/queues', 'queues', {}, o)
export const queue = (name, o) => get(queuePath(name), {}, o)
export const createQueue = body => call('POST', '/v1/queues', body)
export const updateQueue = (name, settings) => call('PATCH', queuePath(name), { settings })
export const deleteQueue = name => call('DELETE', queuePath(name))
export const purge = name => call('POST', `${queuePath(name)}:purge`, {})
export const peek = async (name, maxMessages, o) => (await get(`${queuePath(name)}/messages`, { maxMessages }, o)).messages ?? []
export const send = (name, message) => call('POST', `${queuePath(name)}/messages`, { messages: [message] }, retriable())
export const redrives = async (name, o) => (await get(`${queuePath(name)}/redrives`, {}, o)).redrives ?? []
export const startRedrive = (name, body) => call('POST', `${queuePath(name)}/redrives`, body)
export const cancelRedrive = id => call('POST', `/v1/redrives/${part(id)}:cancel`, {})

export const groups = async o => (await get('/v1/groups', {}, o)).groups ?? []
export const group = (name, o) => get(groupPath(name), {}, o)
export const reset = (name, body) => call('POST', `${groupPath(name)}:reset`, body)
export const deleteGroup = name => call('DELETE', groupPath(name))

export const triggers = async o => (await get('/v1/triggers', {}, o)).triggers ?? []
export const trigger = (name, o) => get(triggerPath(name), {}, o)
export const deleteTrigger = name => call('DELETE', triggerPath(name))

// Answered is one result per record; this throws if the one was refused.
export function only(answer) {
  const [result] = answer.results ?? []
  if (result?.error) throw new ApiError(200, result.error.code, result.error.message)
  return result ?? {}
}

// A browser may repeat a request whose connection broke; with a key it counts once.
function retriable() {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('')
  return { headers: { 'Idempotency-Key': key } }
}
