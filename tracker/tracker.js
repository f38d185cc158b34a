/*
 * Liveshelf's tracker: tells the collector what happens on the pages of a shop. docs/collecting.md explains its use.
 *
 * How it is made:
 * - `track` puts an event into the queue at once, and `flush` sends the queue. An event leaves it only when the collector
 *   has judged it, so a reload, a lost network or a collector that is down loses nothing. What may be sent twice has the
 *   same `event_id` each time, and is counted once.
 * - All that is kept goes through `read`, `write` and `remove`: localStorage where the visitor consents and it works, else
 *   the memory of this page. There are no cookies.
 * - In localStorage each event has a key of its own, so that tabs never overwrite each other. One tab at a time sends.
 * - Nothing is thrown into the page: what the browser or the shop calls is wrapped in `safely`.
 * - It is to stay below 5 kB minified, so it asks the browser rather than checks, and lets `safely` catch the rest.
 */
(() => {
  const SESSION_MS = 30 * 60e3 // of inactivity end a session
  const VISIBLE_MS = 1e3 // that half of a product must be seen for an impression
  const LOOK_MS = 50 // a router that sets the address twice, and draws in between, shows one page
  const BATCH_MS = 1e3 // from an event to the request that carries it
  const BATCH_EVENTS = 50
  const BATCH_CHARS = 2e4 // browsers refuse keepalive requests and beacons of 64 KiB; a character is 3 bytes at most
  const QUEUE_EVENTS = 200 // when there are more, the oldest go
  const ANSWER_MS = 3e4 // how long the collector may take; it gives up before
  const MAX_PAUSE_MS = 36e5 // a longer one says that the clock was set back
  const STAY_MS = 1e4 // from the start of a navigation to its end

  // What the visitor allows: nothing is sent; nothing yet; sent but not stored; sent and stored.
  const REFUSED = 0
  const ASK = 1
  const MEMORY = 2
  const GRANTED = 3

  // Keys of what is kept
  const PREFIX = 'liveshelf.'
  const ID = PREFIX + 'id'
  const USER = PREFIX + 'user'
  const SESSION = PREFIX + 'session'
  const UNTIL = PREFIX + 'until' // the time before which the collector wants nothing more
  const EVENT = PREFIX + 'e' // + sequence + '.' + an id

  const win = window
  const doc = document
  const script = doc.querySelector('[data-ls-key]')
  const stub = win.liveshelf
  if (!script || stub?.loaded) return

  const safely = (f) => (...args) => {
    try {
      return f(...args)
    } catch {
      // the page goes on
    }
  }
  const on = (type, f, target = win) => target.addEventListener(type, safely(f), true)
  const after = (ms, f) => setTimeout(safely(f), ms)
  /** A function that calls `f` after `ms`, or the milliseconds it is given; once, however often it is called till then. */
  const soon = (ms, f) => {
    let timer
    return (otherMs) => {
      timer = timer || after(+otherMs || ms, () => ((timer = 0), f()))
    }
  }
  const attribute = (element, name) => element?.getAttribute('data-ls-' + name)
  const closest = (element, name) => element.closest(`[data-ls-${name}]`)
  const newId = () => crypto.randomUUID?.() || crypto.getRandomValues(new Uint32Array(4)).join('-') // older, or no https

  // --- what is kept ---

  const memory = new Map()
  const storage = (f) => safely(() => f(localStorage))()
  const read = (key) => memory.get(key) || (consent == GRANTED && storage((s) => s.getItem(key))) || ''
  const remove = (key) => {
    memory.delete(key)
    storage((s) => s.removeItem(key))
  }
  const write = (key, value) => {
    memory.set(key, value)
    // Storage that is full, or forbidden, leaves it in memory.
    if (consent == GRANTED) storage((s) => (s.setItem(key, value), memory.delete(key)))
    return value
  }
  const keys = (prefix) => [...memory.keys(), ...(storage(Object.keys) || [])].filter((key) => key.startsWith(prefix))
  const forget = () => keys(PREFIX).forEach(remove)

  if (navigator.globalPrivacyControl || navigator.doNotTrack == 1) return forget()
  // A visitor whose id is stored has consented before.
  let consent = storage((s) => s.getItem(ID)) ? GRANTED : { granted: GRANTED, memory: MEMORY }[attribute(script, 'consent')] || ASK

  // --- the queue ---

  const sequence = (key) => parseInt(key.slice(EVENT.length))
  const queue = () => keys(EVENT).sort((a, b) => sequence(a) - sequence(b))

  let batchEvents = BATCH_EVENTS
  const nextBatch = () => {
    let chars = 0
    return queue().slice(0, batchEvents).filter((key) => (chars += read(key).length) < BATCH_CHARS)
  }
  // Joined as text: a page that redefines toJSON does no harm. What another tab has sent meanwhile is gone.
  const bodyOf = (batch) => `[${batch.map(read).filter((text) => text)}]`

  // --- sending ---

  const endpoint = new URL((attribute(script, 'url') || '/v1/events') + '?key=' + attribute(script, 'key'), script.src)
  let failures = 0
  let retryMs = 0 // after the last failure
  let isSending
  let refusals = 0

  const pauseMs = () => {
    const ms = read(UNTIL) - Date.now()
    return ms > 0 && ms <= MAX_PAUSE_MS && ms
  }

  /** Send one batch; true when the collector has judged it, or when to try it in smaller parts. */
  const post = async (batch) => {
    let seconds = Math.min(2 ** failures++, 256) * (1 + Math.random()) // to wait, should this fail
    let status
    try {
      const response = await fetch(endpoint, {
        __proto__: null,
        method: 'POST',
        body: bodyOf(batch), // goes as text/plain, which needs no preflight request
        keepalive: true,
        credentials: 'omit',
        signal: AbortSignal.timeout?.(ANSWER_MS),
      })
      status = response.status
      seconds = Math.max(seconds, response.headers.get('Retry-After'))
      const { accepted, rejected } = await response.json()
      if (response.ok && accepted >= 0) {
        batch.forEach(remove)
        batchEvents = BATCH_EVENTS
        failures = retryMs = 0
        if (rejected?.[0]) console.warn('liveshelf', rejected)
        return true
      }
    } catch {
      // no network, no collector, or not its answer
    }
    if (status == 400 || status == 413) {
      // One of them cannot be read: it is found when each comes alone.
      batchEvents = 1
      if (!batch[1]) remove(batch[0])
      return true
    }
    retryMs = Math.min(seconds * 1e3 || 6e4, MAX_PAUSE_MS)
    // For the next pages too, if the collector says so: a lost network may be back there.
    if (status > 399) write(UNTIL, Date.now() + retryMs)
  }

  const sendAll = async (lock) => {
    // Without the lock another tab is sending, what is stored here too; unless it hangs.
    if (lock || refusals++ > 30) {
      refusals = 0
      let batch
      while ((batch = nextBatch())[0] && (await post(batch)));
    }
    if (queue()[0]) flushSoon(retryMs)
  }

  const flush = async () => {
    if (consent < MEMORY) return
    if (isSending || pauseMs()) return flushSoon(pauseMs())
    isSending = true
    try {
      await navigator.locks.request(PREFIX, { ifAvailable: true }, sendAll)
    } catch {
      await sendAll(true) // older, or no https: tabs may send the same
    }
    isSending = false
  }
  const flushSoon = soon(BATCH_MS, flush)

  // --- events ---

  let page
  let { referrer } = doc
  const seen = new Set() // on this page: products viewed, places of lists, order lines

  /** A page view, if the address is another one: a hash counts where it is a path (#/ or #!). */
  const turnPage = () => {
    const here = location.href.replace(/#(?![/!]).*/, '')
    if (here == page) return
    referrer = page || referrer
    page = here
    seen.clear()
    track('page_view')
  }

  const track = (type, fields) => {
    if (!consent) return
    turnPage()
    const now = Date.now()
    const [session, lastMs] = read(SESSION).split(' ')
    const session_id = Math.abs(now - lastMs) < SESSION_MS ? session : newId()
    write(SESSION, session_id + ' ' + now)
    const text = JSON.stringify(
      {
        __proto__: null,
        event_id: newId(),
        user_id: read(USER) || null,
        anonymous_id: read(ID) || write(ID, newId()),
        session_id,
        event_time: new Date(now).toISOString(),
        context: { page_url: page, referrer: referrer || null },
        ...fields,
        event_type: type,
      },
      (_, value) => (value == null || value !== value ? undefined : value)
    )
    if (text.length >= BATCH_CHARS) return

    const waiting = queue()
    // The time, so that events of several tabs are in order; but never going back, whatever the clock does.
    write(EVENT + Math.max(now, sequence(waiting.slice(-1) + '') + 1 || 0) + '.' + newId(), text)
    waiting.slice(0, 1 - QUEUE_EVENTS).forEach(remove)
    if (waiting.length == BATCH_EVENTS - 1) flush()
    else flushSoon()
  }
  const trackOnce = (key, type, fields) => {
    if (!seen.has(key)) track(type, fields)
    seen.add(key)
  }

  // --- what the page says by its attributes ---

  const PRODUCT = '[data-ls-product]:not([data-ls-action])'
  const LISTED = '[data-ls-list] ' + PRODUCT

  const productOf = (element) => {
    const product = element.closest(PRODUCT) || element
    const list = product.matches(LISTED) && closest(product, 'list')
    const said = (name) => attribute(element, name) || attribute(product, name)
    const number = (text) => +(text || NaN)
    return {
      item_id: said('product'),
      price: number(said('price')),
      currency: attribute(closest(product, 'currency'), 'currency'),
      quantity: number(said('quantity') || element.closest('form')?.quantity?.value),
      ...(list && {
        list_id: attribute(list, 'list'),
        position: +(said('position') || [...list.querySelectorAll(LISTED)].indexOf(product)),
      }),
    }
  }

  const timers = new WeakMap() // product of a list → the timer of its impression
  const observer = new IntersectionObserver(
    safely((entries) =>
      entries.forEach(({ target, intersectionRatio }) => {
        clearTimeout(timers.get(target))
        if (intersectionRatio < 0.5) return
        const impression = () => {
          if (doc.hidden) return observe(target) // begins anew when the tab is looked at
          const product = productOf(target)
          trackOnce(product.list_id + ' ' + product.position, 'impression', product)
        }
        timers.set(target, after(VISIBLE_MS, impression))
      })
    ),
    { threshold: 0.5 }
  )
  const observe = (element) => {
    observer.unobserve(element)
    observer.observe(element)
  }

  let known = new WeakMap() // product → what it was at the last look
  /** See what is new on the page: soon after it was drawn, and before whatever the visitor does there. */
  const look = safely(() => {
    turnPage()
    doc.querySelectorAll(PRODUCT).forEach((element) => {
      const product = productOf(element)
      const { item_id } = product
      const now = Object.values(product) + ''
      if (known.get(element) == now) return
      known.set(element, now)
      const order = closest(element, 'order')
      if (order) {
        // An id made of the order: a thank-you page that is loaded again counts once.
        trackOnce((product.event_id = encodeURIComponent(attribute(order, 'order') + '.' + item_id)), 'purchase', product)
      } else if (product.list_id) observe(element)
      else if (!closest(element, 'cart')) trackOnce(item_id, 'product_view', product)
    })
  })
  const lookSoon = soon(LOOK_MS, look)

  const onClick = ({ target, type, button }) => {
    look()
    const action = target.closest('[data-ls-action]:not(form)')
    const listed = target.closest(LISTED)
    if (action) type == 'click' && track(attribute(action, 'action'), productOf(action))
    else if (listed && target.closest('a,[role=link]') && button < 2) track('click', productOf(listed))
  }
  const onSubmit = ({ target }) => {
    look()
    const field = attribute(target, 'search')
    const action = attribute(target, 'action')
    const query = field != null && target[field || 'q'].value.trim()
    if (query) track('search', { query })
    if (action) track(action, productOf(target))
  }

  // --- leaving the page ---

  let staysHere // the next page is of this shop, and will send what is stored
  const leave = () => {
    isSending = true // what follows on leaving is in the beacon already
    look()
    if (consent < MEMORY || (!memory.size && (staysHere || pauseMs()))) return
    const batch = nextBatch()
    if (batch[0]) navigator.sendBeacon(endpoint, bodyOf(batch)) // no answer is heard: they stay in the queue
  }
  const onNavigate = ({ destination }) => {
    staysHere = !destination.sameDocument && new URL(destination.url).origin == location.origin
    after(STAY_MS, () => (staysHere = false))
  }

  // --- liveshelf(command, …) ---

  const reset = () => {
    remove(USER)
    remove(SESSION)
    write(ID, newId())
  }
  const commands = {
    track,
    reset,
    identify(userId) {
      const user = read(USER)
      if (!userId || user == userId) return
      if (user) reset() // somebody else at the same screen
      write(USER, userId + '')
      track('identify')
    },
    consent(isGiven) {
      consent = isGiven ? GRANTED : REFUSED
      if (!isGiven) return forget()
      memory.forEach((value, key) => write(key, value))
      flush()
    },
  }
  const api = safely((command, ...args) => {
    look()
    commands[command](...args)
  })

  const start = () => {
    look()
    win.liveshelf = api
    api.loaded = true
    stub?.q?.forEach((args) => api(...args))

    for (const name of ['pushState', 'replaceState']) {
      const original = history[name]
      history[name] = function () {
        const result = original.apply(this, arguments)
        lookSoon()
        return result
      }
    }
    new MutationObserver(lookSoon).observe(doc, {
      childList: true,
      subtree: true,
      attributeFilter: ['data-ls-product', 'data-ls-list'],
    })
    on('click', onClick)
    on('auxclick', onClick)
    on('submit', onSubmit)
    on('popstate', lookSoon)
    on('pagehide', leave)
    on('visibilitychange', () => doc.hidden && flush())
    on('online', flush)
    on('pageshow', ({ persisted }) => {
      isSending = false
      if (!persisted) return
      // Back from the browser's cache of pages: it is shown again.
      page = ''
      known = new WeakMap()
      look()
    })
    on('navigate', onNavigate, navigation) // last: where it is missing, `safely` ends here
  }
  // A page that is rendered ahead is viewed when the visitor goes there, if at all.
  if (doc.prerendering) on('prerenderingchange', start)
  else start()
})()
