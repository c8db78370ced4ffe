// The loader: the first code that runs on a page, and the only caller of the module.
//
// It creates the `clew()` queue and the first page view's id and time, starts the module, passes it
// every signal through one guarded function (`tell`), and does for it what needs a browser's promises
// and timers (`host`). If the module cannot start or has trapped, or the page goes away before it
// runs, the loader sends a minimum of events on its own (`plain`).
//
// The build (`cargo xtask tracker`) defines these names in front of this file: MODULE, the module's
// file next to this script; IMPORTS and connect, with which the glue instantiates it; begin and hear,
// the module's two entry points. Nothing here may throw into the page, block it, or change what it
// does.
(() => {
  const document = window.document
  const location = window.location
  const script = document.currentScript || document.querySelector('script[data-site]')
  const site = script && script.getAttribute('data-site')
  const early = window.clew && window.clew.q
  // A tag that is in the page twice runs once.
  if (!site || !script.src || (window.clew && window.clew.on)) return

  const base = new URL('.', script.src).href
  const mode = script.getAttribute('data-consent') || 'full'
  const gpc = !!navigator.globalPrivacyControl
  const dnt = navigator.doNotTrack === '1'
  const webdriver = !!navigator.webdriver
  const language = navigator.language || ''

  // The signals; `signal.rs` has the same numbers.
  const WAKE = 20
  const NAVIGATE = 21
  const RESTORED = 22
  const ANSWER = 23
  const CONSENT = 24
  const EVENT = 25
  const IDENTIFY = 26
  const DEPART = 27

  const STARTING = 0
  const UP = 1
  const DOWN = 2
  let state = STARTING
  let decision = ''
  let view // the page view that `plain` would send; `said` is the one that it sent
  let said
  let timer
  let token = ''
  const askers = []
  const words = [] // signals that the module has not handled yet
  let hearing = false

  // Runs a step; returns whether it threw.
  const fails = (step) => {
    try {
      step()
    } catch (error) {
      return true
    }
  }

  const maySend = () => (decision ? decision === 'granted' : mode === 'full' || mode === 'cookieless')
  const mayStore = () => (decision ? decision === 'granted' : mode === 'full')

  // A UUIDv7 from Unix milliseconds.
  const eventId = (at) => {
    let hex = at.toString(16).padStart(12, '0')
    crypto.getRandomValues(new Uint8Array(10)).forEach((byte) => {
      hex += (byte + 256).toString(16).slice(1)
    })
    return hex.replace(/(.{8})(.{4}).(.{3}).(.{3})(.{12})/, '$1-$2-7$3-a$4-$5')
  }
  const place = (address) => address.split('#')[0]
  const pageView = (at, address, referrer) => {
    const id = eventId(at)
    const url = (/#.*(utm|mtm|pk)_/.test(address) ? address : place(address)).slice(0, 8192)
    return { id, at, page: id, kind: 'page_view', url, referrer }
  }

  // ---- The only way into the module -------------------------------------------------------------

  const tell = (word, first = '', second = '', status = 0, batch = 0, target = undefined) => {
    // If the module never starts, a long-lived page must not fill its memory.
    if (words.length < 1000) words.push([word, Date.now(), status, batch, first, second, target])
    drain()
  }

  // The module is not re-entrant: signals that arrive during a call wait until it returns.
  const drain = () => {
    if (hearing || state === STARTING) return
    hearing = true
    while (words.length) {
      const word = words.shift()
      // A module that has thrown or trapped is never called again.
      if (fails(() => (state === UP ? hear : plain)(...word)) && state === UP) fail()
    }
    hearing = false
  }

  const host = {
    page: document,
    listen(types, word, every) {
      types.split(' ').forEach((type, index) => {
        let last = 0
        const listener = ({ target }) => {
          const now = Date.now()
          if (Math.abs(now - last) < every) return
          last = now
          const inForm = (type === 'focusin' || type === 'submit') && target instanceof Element
          tell(word + index, '', '', 0, 0, inForm ? target : undefined)
        }
        window.addEventListener(type, listener, { capture: true, passive: true })
      })
    },
    async post(batch, transport, body) {
      let status = 0
      let given = ''
      let wait = ''
      try {
        if (transport === 1 && navigator.sendBeacon?.(base + 'e', body)) return
        const answer = await fetch(base + 'e', {
          method: 'POST',
          body,
          keepalive: true,
          credentials: transport === 2 ? 'omit' : 'include',
        })
        status = answer.status
        wait = answer.headers.get('Retry-After') || ''
        given = String((await answer.json()).token || '')
      } catch (error) {
        // No response, or an unreadable one; the status says which.
      }
      tell(ANSWER, given, wait, status, batch)
    },
    after(milliseconds) {
      clearTimeout(timer)
      timer = setTimeout(tell, milliseconds, WAKE)
    },
    // If storage is blocked or full, this page's memory has to do.
    load(key) {
      let value
      fails(() => {
        value = localStorage.getItem(key)
      })
      return value || ''
    },
    save(key, value) {
      fails(() => {
        if (value) localStorage.setItem(key, value)
        else localStorage.removeItem(key)
      })
    },
    forget() {
      host.save('clew_q')
      host.save('clew_t')
      fails(() => {
        const expired = 'clew_id=;Path=/;Max-Age=0'
        document.cookie = expired
        const labels = location.hostname.split('.')
        while (labels.length) {
          document.cookie = expired + ';Domain=' + labels.join('.')
          labels.shift()
        }
      })
    },
    token(given) {
      token = given
      if (token) askers.splice(0).forEach(answerAsker)
    },
  }

  // ---- Without the module -----------------------------------------------------------------------

  // The visitor in the cookie, if there is one and consent allows it.
  const visitor = () => {
    let found
    fails(() => {
      found = mayStore() && /(?:^|; )clew_id=([^;]+)/.exec(document.cookie)
    })
    return found ? found[1] : undefined
  }

  const say = (event, transport) => {
    if (!maySend()) return
    const beacon = transport === 1 && mayStore()
    const body = {
      v: 1,
      site,
      visitor: visitor(),
      sent_at: Date.now(),
      consent: decision || undefined,
      gpc,
      dnt,
      webdriver,
      language,
      transport: beacon ? 'beacon' : 'fetch',
      sender: 'loader',
      events: [event],
    }
    host.post(0, beacon ? 1 : mayStore() ? 0 : 2, JSON.stringify(body))
  }

  const sayView = (transport) => {
    if (said === view || !maySend()) return
    said = view
    fails(() => {
      view.title = document.title.slice(0, 128)
    })
    say(view, transport)
  }

  const plain = (word, at, status, batch, first, second) => {
    if (word === RESTORED || (word === NAVIGATE && place(first) !== place(view.url))) {
      view = pageView(at, first, '')
      sayView()
    }
    if (word === CONSENT) {
      if (decision === 'denied') {
        said = 0
        host.forget()
      } else sayView()
    }
    if (word === ANSWER && first) host.token(first)
    const given = (word !== ANSWER && JSON.parse(second || 'null')) || undefined
    const event = { id: eventId(at), at, page: view.id }
    // Without a visitor, the collector would create one for it.
    if (word === DEPART && visitor()) say({ ...event, kind: 'departure', host: first }, 1)
    if (word === EVENT) say({ ...event, kind: 'custom', name: first, props: given })
    if (word === IDENTIFY && given) say({ ...event, kind: 'identify', contact: given })
  }

  const fail = () => {
    state = DOWN
    clearTimeout(timer)
    fails(sayView)
  }

  // ---- The page's commands ----------------------------------------------------------------------

  const answerAsker = (asker) => {
    try {
      asker(token)
    } catch (error) {
      console.error(error)
    }
  }

  const command = (given) => {
    try {
      const [name, first, second] = given
      if (name === 'token') {
        if (typeof first !== 'function') return
        if (token) answerAsker(first)
        else askers.push(first)
      } else if (name === 'consent') {
        if (first !== 'granted' && first !== 'denied') return
        decision = first
        tell(CONSENT, first)
      } else if (name === 'event') tell(EVENT, String(first || ''), JSON.stringify(second))
      else if (name === 'identify') tell(IDENTIFY, '', JSON.stringify(first))
    } catch (error) {
      console.error(error)
    }
  }

  window.clew = function () {
    command(arguments)
  }
  window.clew.on = true
  // The page may have kept a reference to the stub, which pushes here.
  window.clew.q = { push: command }
  if (early) [].slice.call(early).forEach(command)

  // ---- Start ------------------------------------------------------------------------------------

  const open = async () => {
    try {
      view = pageView(Date.now(), location.href, document.referrer)
      watch()
      const started = await WebAssembly.instantiateStreaming(fetch(base + MODULE), IMPORTS)
      connect(started.instance.exports)
      // Calls made while it starts must not call back into it.
      hearing = true
      begin(host, view.at, opening())
      state = UP
    } catch (error) {
      fail()
    }
    hearing = false
    drain()
  }

  // Events that the module must not miss before it runs, or that need more than the event itself.
  const watch = () => {
    const push = history.pushState
    history.pushState = function () {
      const result = push.apply(this, arguments)
      tell(NAVIGATE, location.href)
      return result
    }
    const on = (type, listener, options) => window.addEventListener(type, listener, options)
    on('popstate', () => tell(NAVIGATE, location.href))
    on('pageshow', (event) => {
      if (event.persisted) tell(RESTORED, location.href)
    })
    const leave = (event) => {
      if (state === STARTING && (event.type === 'pagehide' || document.hidden)) {
        fails(() => {
          sayView(1)
          // The module sends the rest, if it starts.
          words.splice(0).forEach((waiting) => {
            if (waiting[0] === DEPART && visitor()) plain(...waiting)
            else words.push(waiting)
          })
        })
      }
    }
    on('pagehide', leave)
    on('visibilitychange', leave)
    const early = { capture: true, passive: true }
    on('click', follow, early)
    on('auxclick', follow, early)
    on('submit', submit, early)
    // Navigations by script, if the browser reports them. The page may have defined this name for
    // something else.
    const navigate = (event) => {
      depart(() => event.downloadRequest === null && new URL(event.destination.url))
    }
    fails(() => window.navigation.addEventListener('navigate', navigate))
  }

  // Reports the host that the page is left for, if it is another host. Leaving once may raise two
  // events.
  let left = ''
  let leftAt = 0
  const depart = (find) => {
    fails(() => {
      const { protocol, hostname } = find()
      if (!/^http/.test(protocol) || hostname === location.hostname) return
      const now = Date.now()
      if (hostname !== left || Math.abs(now - leftAt) > 1000) tell(DEPART, hostname)
      left = hostname
      leftAt = now
    })
  }
  const follow = (event) => {
    // The third button opens a menu.
    if (event.button < 2) {
      depart(() =>
        event.composedPath().find((node) => node.hostname && !node.hasAttribute('download')),
      )
    }
  }
  const submit = ({ target, submitter }) => {
    // Through the prototype, because a field named `getAttribute` hides the form's own method.
    const read = (element, name) => element && Element.prototype.getAttribute.call(element, name)
    depart(
      () => new URL(read(submitter, 'formaction') || read(target, 'action') || '', document.baseURI),
    )
  }

  // Lines, in the order in which `opening.rs` reads them.
  const opening = () =>
    [
      site,
      mode,
      decision,
      view.id,
      (gpc ? 'g' : '') +
        (dnt ? 'd' : '') +
        (webdriver ? 'w' : '') +
        (script.getAttribute('data-ad-cookies') === 'true' ? 'a' : '') +
        (location.protocol === 'https:' ? 's' : '') +
        (document.readyState === 'complete' ? 'l' : ''),
      language,
      location.hostname,
      view.url,
      view.referrer,
    ].join('\n')

  // A prerendered page is not visited until it is activated.
  if (document.prerendering) document.addEventListener('prerenderingchange', open, { once: true })
  else open()
})()
