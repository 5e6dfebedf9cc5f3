/**
 * A hostile web page: everything by which a page can make a browser send a request, each as the text of a
 * function that runs in the page and tells what the page learnt.
 */

export const HOSTILE_PAGE = '<!doctype html><title>hostile</title><body></body>';

/** An element that loads a URL; it tells whether it loaded, which is all a page hears of it. */
const element = (
  tag: string,
  property: string,
  more = '',
): string => `(gateway) => new Promise((resolve) => {
  const it = document.createElement('${tag}');
  it.onload = it.onloadeddata = () => resolve('loaded');
  it.onerror = () => resolve('refused');
  ${more}
  it.${property} = gateway + '/v1/models';
  document.body.append(it);
})`;

/** A document of another origin: what is in it can not be read, and whether it loaded is not told. */
const frame = (fill: string): string => `(gateway, body) => new Promise((resolve) => {
  const frame = document.createElement('iframe');
  frame.name = 'target';
  document.body.append(frame);
  let loads = 0;
  frame.onload = () => {
    loads += 1;
    let seen = null;
    try { seen = frame.contentDocument; } catch {}
    if (seen === null) resolve('opaque');
  };
  ${fill}
})`;

const form = (method: string, encoding: string): string =>
  frame(`
  const form = document.createElement('form');
  form.method = '${method}';
  form.enctype = '${encoding}';
  form.action = gateway + '/v1/messages';
  form.target = 'target';
  const field = document.createElement('input');
  field.name = body;
  form.append(field);
  document.body.append(form);
  form.submit();`);

const fetching = (options: string, path = '/v1/messages'): string => `(gateway, body) =>
  fetch(gateway + '${path}', ${options}).then(
    async (answer) => answer.type === 'opaque' ? 'opaque' : 'read ' + await answer.text(),
    () => 'refused')`;

/** By name; each takes the gateway's origin and a body that Haiku would answer. */
export const ATTEMPTS: Readonly<Record<string, string>> = {
  simple: fetching(`{ method: 'POST', body }`),
  'no-cors': fetching(`{ method: 'POST', mode: 'no-cors', body }`),
  'no-cors with credentials': fetching(
    `{ method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true, body }`,
  ),
  'no referrer': fetching(
    `{ method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer', body }`,
  ),
  preflight: fetching(
    `{ method: 'POST', headers: { 'content-type': 'application/json', 'x-api-key': 'k' }, body }`,
  ),
  'preflight with the token header': fetching(
    `{ method: 'POST', headers: { 'x-lanekeeper-token': 'guess' }, body }`,
  ),
  'preflight of a method': fetching(`{ method: 'DELETE' }`),
  get: fetching('{}', '/v1/models'),
  'no-cors get': fetching(`{ mode: 'no-cors', referrerPolicy: 'no-referrer' }`, '/v1/models'),
  xhr: `(gateway, body) => new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.onload = () => resolve('read ' + request.responseText);
    request.onerror = () => resolve('refused');
    request.open('POST', gateway + '/v1/messages');
    request.send(body);
  })`,
  beacon: `async (gateway, body) => {
    navigator.sendBeacon(gateway + '/v1/messages', body);
    // It is sent behind the page's back: what follows on the same way comes later.
    await fetch(gateway + '/v1/after', { mode: 'no-cors' }).catch(() => {});
    return 'nothing';
  }`,
  image: element('img', 'src'),
  script: element('script', 'src'),
  module: `(gateway) => import(gateway + '/v1/models').then(() => 'loaded', () => 'refused')`,
  stylesheet: element('link', 'href', `it.rel = 'stylesheet';`),
  video: element('video', 'src'),
  worker: `(gateway) => new Promise((resolve) => {
    const text = 'try { importScripts(' + JSON.stringify(gateway + '/v1/models') + '); postMessage("loaded") } catch { postMessage("refused") }';
    new Worker(URL.createObjectURL(new Blob([text]))).onmessage = ({ data }) => resolve(data);
  })`,
  'event source': `(gateway) => new Promise((resolve) => {
    const events = new EventSource(gateway + '/v1/messages');
    events.onopen = () => resolve('opened');
    events.onerror = () => { events.close(); resolve('refused'); };
  })`,
  'web socket': `(gateway) => new Promise((resolve) => {
    const socket = new WebSocket(gateway.replace('http', 'ws') + '/v1/messages');
    socket.onopen = () => resolve('opened');
    socket.onerror = () => resolve('refused');
  })`,
  frame: frame(`frame.src = gateway + '/v1/models';`),
  'form of text': form('post', 'text/plain'),
  'form of fields': form('post', 'application/x-www-form-urlencoded'),
  'form of parts': form('post', 'multipart/form-data'),
  'form by get': form('get', 'application/x-www-form-urlencoded'),
  'sandboxed page': `(gateway, body) => new Promise((resolve) => {
    onmessage = ({ data }) => resolve(data);
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts';
    const options = '{ method: "POST", mode: "no-cors", body: ' + JSON.stringify(body) + ' }';
    frame.srcdoc = '<script>fetch(' + JSON.stringify(gateway + '/v1/messages') + ',' + options +
      ').then((a) => parent.postMessage(a.type, "*"), () => parent.postMessage("refused", "*"))</scr' + 'ipt>';
    document.body.append(frame);
  })`,
};

const own = (options: string, path = '/v1/messages'): string => `(body) =>
  fetch('${path}', ${options}).then(async (answer) => answer.status + ' ' + await answer.text(), String)`;

/** By name, of a page whose origin is the gateway's by a name of its own: it may read every answer. */
export const REBOUND_ATTEMPTS: Readonly<Record<string, string>> = {
  get: own('{}', '/v1/models'),
  post: own(`{ method: 'POST', headers: { 'content-type': 'application/json' }, body }`),
  'post with the token header': own(
    `{ method: 'POST', headers: { 'x-lanekeeper-token': 'guess' }, body }`,
  ),
  probe: own(`{ method: 'OPTIONS', headers: { 'max-forwards': '0' } }`),
};
