// A browser, named checks with a closing count, and what no page may do: complain on
// its console, or ask another host for anything.
const assert = require('node:assert/strict')
const { mkdirSync } = require('node:fs')
const path = require('node:path')
const { chromium } = require('playwright-core')

const checkMs = 180000
const waitMs = 30000

class Suite {
  constructor(name, only) {
    Object.assign(this, { name, only, passed: 0, failed: 0 })
  }

  // run counts one check; it fails when it throws, takes longer than three minutes, or when
  // a page complained meanwhile.
  async run(title, desk, check) {
    if (this.only && !title.includes(this.only)) return
    const start = Date.now()
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('not done within three minutes')), checkMs)
    })
    try {
      await Promise.race([check(), late])
      assert.deepEqual(desk.complaints.splice(0), [], 'complaints of the page')
      this.passed++
      console.log(`ok   ${title} (${Date.now() - start}ms)`)
    } catch (e) {
      this.failed++
      const why = [e.message, ...desk.complaints.splice(0)].join(' ').split('\n').slice(0, 12).join(' ')
      console.log(`FAIL ${title} (${Date.now() - start}ms): ${why.slice(0, 600)}`)
      console.error(e.stack)
      await desk.shot(`failed-${this.failed}`).catch(() => {})
    } finally {
      clearTimeout(timer)
    }
  }

  finish() {
    console.log(`${this.name}: ${this.passed} passed, ${this.failed} failed`)
    return this.failed || !this.passed ? 1 : 0
  }
}

// Desk is one browser with one page at the console.
class Desk {
  static async open(base, folder) {
    mkdirSync(folder, { recursive: true })
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      // Tests run as root in containers, where Chromium's sandbox cannot be set up.
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    })
    const desk = Object.assign(new Desk(), { base, folder, browser, complaints: [], allowed: [] })
    await desk.renew()
    return desk
  }

  // renew opens a fresh page, as a person with other preferences would.
  async renew({ width = 1280, height = 860, colorScheme = 'light', hasTouch = false } = {}) {
    await this.context?.close()
    this.context = await this.browser.newContext({ viewport: { width, height }, colorScheme, hasTouch })
    await this.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: this.base })
    this.page = await this.context.newPage()
    this.page.setDefaultTimeout(waitMs)
    const own = new URL(this.base).host
    this.page.on('request', r => {
      if (new URL(r.url()).host !== own) this.complaints.push(`request to another host: ${r.url()}`)
    })
    this.page.on('pageerror', e => this.complaints.push(`uncaught: ${e.message}`))
    this.page.on('console', m => {
      if (!['error', 'warning'].includes(m.type()) || this.allowed.some(a => m.text().includes(a))) return
      this.complaints.push(`console: ${m.text()}`)
    })
    return this.page
  }

  async go(hash) {
    const url = `${this.base}/#/${hash}`
    // To go where one is would change nothing.
    if (this.page.url() === url) await this.page.reload()
    else await this.page.goto(url)
    await this.page.locator('main h1').waitFor()
  }

  async shot(name) {
    await this.page.screenshot({ path: path.join(this.folder, `${name}.png`), animations: 'disabled' })
  }

  // press presses a button by its name, in the open dialog if there is one.
  async press(name, exact = true) {
    const dialog = this.page.locator('dialog[open]').last()
    const place = await dialog.count() ? dialog : this.page.locator('#main')
    await place.getByRole('button', { name, exact }).click()
  }

  // fill fills in fields of the open dialog by their labels.
  async fill(values) {
    for (const [label, value] of Object.entries(values)) {
      const field = this.page.locator('dialog[open] label', { has: this.page.getByText(label, { exact: true }) })
      await field.locator('input, textarea').first().fill(value)
    }
  }

  async closed() { await this.page.locator('dialog[open]').waitFor({ state: 'detached' }) }

  // tile waits until a number at the top of the page is what it should be.
  async tile(name, want, timeout = waitMs) {
    const value = this.page.locator(`[data-tile="${name}"] dd`).first()
    await until(`${name} is ${want}`, async () => await value.textContent() === want, timeout)
  }

  async says(text) { await this.page.getByText(text, { exact: false }).first().waitFor() }
}

async function until(what, holds, limit = waitMs) {
  for (const end = Date.now() + limit; !(await holds()); await new Promise(resolve => setTimeout(resolve, 50))) {
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
  }
}

let serial = 0
const unique = what => `${what}-${process.pid}-${serial++}`

module.exports = { assert, Desk, Suite, unique, until }
