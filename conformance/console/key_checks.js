// Without a mouse: a topic is made, written to and found again.
const { assert, unique, until } = require('./harness')

module.exports = async (suite, desk) => {
  const topic = unique('keys')
  const page = () => desk.page
  const keys = async (...list) => { for (const k of list) await page().keyboard.press(k) }
  const type = text => page().keyboard.type(text)
  const heading = (name, more) => page().locator('main h1', { hasText: name }).waitFor(more)
  // Two keys that belong together must follow each other within a second and a half.
  const to = async (key, name) => {
    for (let tries = 1; ; tries++) {
      await keys('g', key)
      try {
        return await heading(name, { timeout: 10000 })
      } catch (e) {
        if (tries === 3) throw e
      }
    }
  }

  await suite.run('keyboard only: create, produce, find, read', desk, async () => {
    await desk.go('')
    await to('t', 'Topics')
    await keys('n')
    await page().locator('dialog[open] input').first().waitFor()
    await type(topic)
    await keys('Control+Enter')
    await heading(topic)
    await keys('n')
    await page().locator('dialog[open] textarea').first().waitFor()
    await type('typed by hand')
    await keys('Control+Enter')
    await desk.closed()
    await page().locator('table[aria-label="Records"]').getByText('typed by hand').waitFor()
    await keys('j', 'Enter')
    await page().locator('tr.detail pre.payload', { hasText: 'typed by hand' }).waitFor()
    await to('t', 'Topics')
    await page().locator('table[aria-label="Topics"]').waitFor()
    await keys('/')
    await type(topic)
    await until('one row', async () => await page().locator('table[aria-label="Topics"] tbody tr').count() === 1)
    await keys('Escape', 'j', 'Enter')
    await heading(topic)
  })

  await suite.run('go to finds a topic by a part of its name', desk, async () => {
    await desk.go('')
    await keys('Control+k')
    await type(topic.slice(2))
    await page().locator('.places li', { hasText: topic }).waitFor()
    await desk.shot('go-to')
    await keys('Enter')
    await heading(topic)
  })

  await suite.run('? lists the keys, Esc closes, the focus is visible and comes back', desk, async () => {
    await desk.go('topics')
    await keys('?')
    await page().locator('dialog[open] h2', { hasText: 'Keys' }).waitFor()
    await desk.shot('keys')
    await keys('Escape')
    await desk.closed()
    await keys('Tab')
    const focus = () => page().evaluate(() => {
      const e = document.activeElement
      return { tag: e.tagName, outline: getComputedStyle(e).outlineStyle }
    })
    for (let i = 0; i < 12; i++) {
      const { tag, outline } = await focus()
      if (tag !== 'BODY' && tag !== 'MAIN') assert.notEqual(outline, 'none', `the focus on ${tag} cannot be seen`)
      await keys('Tab')
    }
  })

  await suite.run('typing is not disturbed while the page polls', desk, async () => {
    await desk.go('queues')
    await keys('/')
    await type('half a wo')
    await new Promise(resolve => setTimeout(resolve, 2500))
    await type('rd')
    assert.equal(await page().locator('.search').inputValue(), 'half a word')
  })
}
