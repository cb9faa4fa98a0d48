// Light or dark is decided before the first paint, so this is no module: modules wait
// for the page. Without a choice the system's preference holds, by the style sheet.
(() => {
  const chosen = () => {
    try { return localStorage.getItem('naru.theme') } catch { return null }
  }
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const apply = () => {
    document.documentElement.dataset.theme = chosen() ?? (dark.matches ? 'dark' : 'light')
    dispatchEvent(new Event('theme'))
  }
  window.switchTheme = () => {
    const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'
    try {
      // Back to what the system prefers: follow it again.
      if ((next === 'dark') === dark.matches) localStorage.removeItem('naru.theme')
      else localStorage.setItem('naru.theme', next)
      apply()
    } catch {
      document.documentElement.dataset.theme = next
      dispatchEvent(new Event('theme'))
    }
  }
  dark.addEventListener('change', apply)
  apply()
})()
