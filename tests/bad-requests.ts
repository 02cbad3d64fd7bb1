/** What a hostile or careless client may send, byte for byte (as latin1), and what is answered. */
export interface BadRequest {
  name: string;
  bytes: string;
  /** The status of each answer up to the end of the connection. */
  answers: number[];
  /** How many events there are more afterwards; none unless it says so. */
  creates?: number;
  /** How many statements reach the database; none unless it says so, or something is created. */
  reads?: number;
  /** Where nginx rightly does otherwise than a producer; `older`: 1.22 does, 1.30 does no longer; `sometimes`: or the same. */
  throughNginx?: { answers: number[]; creates?: number; because: string; older?: boolean; sometimes?: boolean };
  allow?: string;
}

type Outcome = Omit<BadRequest, 'name' | 'bytes'>;

// Shows that the connection is still in step: it is answered unless the connection was ended before.
const PROBE = 'GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const goesOn = (status: number): Outcome => ({ answers: [status, 200] });
const ends = (status: number): Outcome => ({ answers: [status] });
const created: Outcome = { answers: [202, 200], creates: 1 };
/** A producer ends the connection; nginx has read the request otherwise, and safely, and goes on. */
const putRight = (status: number, because: string): NonNullable<Outcome['throughNginx']> =>
  status === 202 ? { answers: [202, 200], creates: 1, because } : { answers: [status, 200], because };

const raw = (line: string, headers = '', body = '') => `${line} HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`;
const ask = (line: string, headers = '', body = '') => raw(line, headers, body) + PROBE;
const get = (path: string, headers = '') => ask(`GET ${path}`, headers);
const create = (headers: string, body = '') => ask('POST /create-async', headers, body);

const JSON_TYPE = 'Content-Type: application/json\r\n';
const withLength = (body: string, headers = JSON_TYPE) =>
  create(`${headers}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n`, body);
const inChunks = (body: string, headers = JSON_TYPE) => create(`${headers}Transfer-Encoding: chunked\r\n`, body);
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const LAST = '0\r\n\r\n';

/** One for each input, with the same outcome. */
function each(what: string, inputs: string[], bytesOf: (input: string) => string, outcome: Outcome): BadRequest[] {
  return inputs.map((input) => {
    const shown = input.length > 50 ? `${input.slice(0, 20)}… (${input.length})` : input;
    return { name: `${what} ${JSON.stringify(shown)}`, bytes: bytesOf(input), ...outcome };
  });
}

const one = (name: string, bytes: string, outcome: Outcome): BadRequest => ({ name, bytes, ...outcome });

const CLOSED_PATH = 'nginx refuses what cannot be a path, or leads out of the root';

const paths: BadRequest[] = [
  ...each('no id:', '/0 /-1 /1.5 /1e3 /0x10 /01 /1_000 /NaN /%EF%BC%91 /1%20OR%201=1'.split(' '), get, goesOn(400)),
  ...each(
    'no id:',
    "/1';-- /1%0a /1%0d%0aX:1 /1,2 /+1 /%201 /true /null /__proto__ /.env".split(' '),
    get,
    goesOn(400),
  ),
  ...each('no id:', [`/${'9'.repeat(30)}`, '/9007199254740992', '/1%2f2', `/${'1'.repeat(7_000)}`], get, goesOn(400)),
  ...each('no id, nor a path:', ['/%31%', '/1%00', '/%ZZ', '/%2e%2e%2f1', '/../0'], get, {
    ...goesOn(400),
    throughNginx: { ...ends(400), because: CLOSED_PATH },
  }),
  one('no id: a digit of another script, as bytes', get('/\xef\xbc\x91'), {
    ...ends(400),
    throughNginx: putRight(400, 'nginx lets bytes beyond ASCII pass'),
  }),
  ...each('what could be an id:', ['/99999999999', '/9007199254740991', '/999999?x=y', '/999999#x'], get, {
    ...goesOn(404),
    reads: 1,
  }),
  one('an id with each digit encoded', get(`/${'%39'.repeat(9)}`), { ...goesOn(404), reads: 1 }),
  ...each('no path of ours:', '/1/2 /1/ // //1 /create-async/ /CREATE-ASYNC/x /docs/x/y'.split(' '), get, goesOn(404)),
  ...each('a path that leads out:', ['/docs/../../etc/passwd', '/docs/%2e%2e/%2e%2e/etc/passwd'], get, {
    ...goesOn(404),
    throughNginx: { ...ends(400), because: CLOSED_PATH },
  }),
  ...each('a path that leads out:', ['/docs/..%2f..%2fpackage.json', '/.%00./1'], get, {
    ...goesOn(404),
    throughNginx: { ...ends(400), because: CLOSED_PATH },
  }),
  one('a path of 9 kB', get(`/${'1'.repeat(9_000)}`), {
    ...goesOn(400),
    throughNginx: { ...ends(414), because: 'nginx has 8 kB for a line' },
  }),
  one('a path of 20 kB', get(`/${'1'.repeat(20_000)}`), {
    ...ends(431),
    throughNginx: { ...ends(414), because: 'nginx has 8 kB for a line' },
  }),
  ...each(
    'a target with',
    ['/1 OR 1=1', '/1\0', '/1\t2', '\\..\\1', '1', 'a:80', 'file:///etc/passwd'],
    get,
    ends(400),
  ),
  one('no target', 'GET HTTP/1.1\r\nHost: a\r\n\r\n', ends(400)),
  one('a target in absolute form', get('http://a/0'), goesOn(400)),
  one('a target elsewhere', ask('POST http://elsewhere/create-async'), created),
  one('a target of another scheme', get('ftp://a/0'), {
    ...ends(400),
    throughNginx: putRight(400, 'nginx takes the path and nothing else of it'),
  }),
];

const CREATE = { ...goesOn(405), allow: 'POST, OPTIONS' };
const READ = { ...goesOn(405), allow: 'GET, HEAD, OPTIONS' };

const methods: BadRequest[] = [
  ...each('method on a create:', ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH'], (m) => ask(`${m} /create-async`), CREATE),
  ...each('method on a create:', ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH'], (m) => ask(`${m} /create-sync`), CREATE),
  ...each('method on the count:', ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'], (m) => ask(`${m} /`), READ),
  ...each('method on an event:', ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'], (m) => ask(`${m} /1`), READ),
  ...each('POST to', ['/livez', '/readyz', '/docs', '/openapi.json'], (path) => ask(`POST ${path}`), READ),
  one('HEAD of the count', ask('HEAD /'), { ...goesOn(200), reads: 1 }),
  one('HEAD of no id', ask('HEAD /0'), goesOn(400)),
  one('OPTIONS of a create', ask('OPTIONS /create-async'), { ...goesOn(204), allow: 'POST, OPTIONS' }),
  one('OPTIONS of everything', ask('OPTIONS *'), ends(400)),
  one('TRACE', ask('TRACE /'), {
    ...goesOn(405),
    throughNginx: { ...ends(405), because: 'nginx answers itself' },
  }),
  one('CONNECT', ask('CONNECT a:80'), {
    ...ends(405),
    throughNginx: { ...ends(400), because: 'nginx does not get as far as the method', older: true },
  }),
  one('a method in lower case', ask('post /create-async'), ends(400)),
  one('a method that nobody knows', ask('BREW /create-async'), {
    ...ends(400),
    throughNginx: putRight(400, 'its connection to the producer is the one that ends'),
  }),
  one('a GET that says it is a POST', get('/create-async', 'X-HTTP-Method-Override: POST\r\n'), CREATE),
];

const protocols: BadRequest[] = [
  one('HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', { answers: [200], reads: 1 }),
  one('a create in HTTP/1.0', 'POST /create-async HTTP/1.0\r\n\r\n', { answers: [202], creates: 1 }),
  one(
    'chunks in HTTP/1.0',
    `POST /create-async HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${LAST}`,
    ends(400),
  ),
  one('HTTP/0.9', 'GET /livez\r\n\r\n', {
    ...ends(505),
    throughNginx: { ...ends(0), because: 'nginx still speaks it' },
  }),
  one('HTTP/1.2', 'GET /0 HTTP/1.2\r\nHost: a\r\nConnection: close\r\n\r\n', ends(400)),
  ...each('the version', ['HTTP/2.0'], (version) => `GET / ${version}\r\nHost: a\r\n\r\n`, ends(505)),
  one('HTTP/9.9', 'GET / HTTP/9.9\r\nHost: a\r\n\r\n', {
    ...ends(400),
    throughNginx: { ...ends(505), because: 'nginx reads the number first' },
  }),
  one('http/1.1', 'GET / http/1.1\r\nHost: a\r\n\r\n', ends(400)),
  one('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ends(400)),
  one('TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', ends(400)),
  one('SSH', 'SSH-2.0-OpenSSH_9\r\n', ends(400)),
  one('Upgrade: websocket', get('/0', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), {
    ...ends(400),
    throughNginx: putRight(400, 'the header goes no further than nginx'),
  }),
  one('Upgrade: h2c', create('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'), {
    answers: [202],
    creates: 1,
    throughNginx: putRight(202, 'the header goes no further than nginx'),
  }),
  one('Expect: 100-continue', create(`${JSON_TYPE}Expect: 100-continue\r\nContent-Length: 2\r\n`, '{}'), {
    answers: [100, 202, 200],
    creates: 1,
  }),
  one(
    'Expect: 100-continue before too much',
    raw('POST /create-async', `${JSON_TYPE}Expect: 100-continue\r\nContent-Length: 9000000\r\n`),
    ends(413),
  ),
  one('Expect: something else', get('/0', 'Expect: 200-ok\r\n'), {
    ...ends(417),
    throughNginx: putRight(400, 'the header goes no further than nginx'),
  }),
];

const headers: BadRequest[] = [
  one('no Host', 'GET /1 HTTP/1.1\r\n\r\n', ends(400)),
  one('an empty Host', 'GET /1 HTTP/1.1\r\nHost:\r\n\r\n', ends(400)),
  one('two Hosts', get('/1', 'Host: b\r\n'), ends(400)),
  one('two Hosts that are the same', get('/1', 'hOST: a\r\n'), ends(400)),
  ...each(
    'Host',
    ['a^b', 'a/b', 'a b', 'a@b', 'a:x', 'a:99999', '[::1', '<script>', '../..'],
    (host) => `GET /0 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    ends(400),
  ),
  one('a folded header', create('X-A: a\r\n b\r\n'), ends(400)),
  one(
    'a folded header that hides chunks',
    create(`Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n`, LAST),
    ends(400),
  ),
  ...each(
    'the header',
    ['X-A: a\0b', 'X-A: a\rb', 'X A: b', ': b', 'Content-Length : 0'],
    (h) => get('/0', `${h}\r\n`),
    ends(400),
  ),
  ...each('the header', ['X-A: a\x01b', 'X-A'], (h) => get('/0', `${h}\r\n`), {
    ...ends(400),
    throughNginx: putRight(400, 'nginx lets it pass or leaves it out, and the path is no id'),
  }),
  ...each(
    'the harmless header',
    [
      'X-A: \xe9\xff',
      'X-Request-Id: a"b<c>',
      'Origin: https://evil',
      'Range: bytes=0-0',
      'Connection: Host, Content-Length',
    ],
    (header) => get('/0', `${header}\r\n`),
    goesOn(400),
  ),
  one('a first header that is folded', 'GET /1 HTTP/1.1\r\n Host: a\r\n\r\n', ends(400)),
  one('lines that end in LF alone', 'GET /0 HTTP/1.1\nHost: a\nConnection: close\n\n', ends(400)),
  one('a header that ends in LF alone', 'GET /0 HTTP/1.1\r\nHost: a\nConnection: close\r\n\r\n', ends(400)),
  one('lines that end in CR alone', 'GET /0 HTTP/1.1\rHost: a\r\r', ends(400)),
  one('empty lines before the request', `\r\n\r\n${get('/0')}`, goesOn(400)),
  one('900 headers', get('/0', 'X-A: b\r\n'.repeat(900)), goesOn(400)),
  one('9,000 headers', get('/1', 'X-A: b\r\n'.repeat(9_000)), ends(431)),
  one('a header of 17 kB', get('/1', `X-A: ${'b'.repeat(17_000)}\r\n`), ends(431)),
  one('headers of 40 kB', get('/1', `X-A: ${'b'.repeat(4_000)}\r\n`.repeat(10)), ends(431)),
];

const NGINX_READS = 'nginx reads it more generously, and sends the producer one that is well formed';
const NO_501 = 'nginx says 501 to every coding but chunked';

const framing: BadRequest[] = [
  one('a length and chunks', create('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', LAST), ends(400)),
  one('chunks and a length', create('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', LAST), ends(400)),
  one('two lengths', create('Content-Length: 2\r\nContent-Length: 3\r\n', '{}'), ends(400)),
  one('two lengths that are the same', create('Content-Length: 2\r\nContent-Length: 2\r\n', '{}'), ends(400)),
  ...each(
    'Content-Length:',
    ['x', '-1', '+2', '2, 2', '2,3', '0x2', '1e1', '2.0', '99999999999999999999', '', ' ', '2 2', '\t'],
    (length) => create(`${JSON_TYPE}Content-Length: ${length}\r\n`, '{}'),
    ends(400),
  ),
  ...each(
    'Transfer-Encoding:',
    ['chunked, identity', 'chunked, chunked', '\x0bchunked', ''],
    (coding) => create(`Transfer-Encoding: ${coding}\r\n`, LAST),
    { ...ends(400), throughNginx: { ...ends(501), because: NO_501 } },
  ),
  ...each(
    'Transfer-Encoding:',
    ['xchunked', 'identity', 'gzip, chunked', 'chunked;q=1', '"chunked"'],
    (coding) => create(`Transfer-Encoding: ${coding}\r\n`, LAST),
    ends(501),
  ),
  one('two codings', create('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', LAST), ends(400)),
  one(
    'two codings that are the same',
    create('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', LAST),
    ends(400),
  ),
  ...each(
    'the chunk size',
    ['x', '-1', '0x2', '+2', ' 2', '', 'f'.repeat(17)],
    (size) => inChunks(`${size}\r\n{}\r\n${LAST}`),
    ends(400),
  ),
  one('a chunk that is longer than said', inChunks(`1\r\n{}\r\n${LAST}`), ends(400)),
  ...each('the chunk', ['2 \r\n{}\r\n', '2;a=\0b\r\n{}\r\n'], (text) => inChunks(text + LAST), {
    ...ends(400),
    throughNginx: putRight(202, NGINX_READS),
  }),
  ...each('the chunk', ['3\r\n{}\r\n', '2\n{}\n', '2;a\n{}\r\n'], (text) => inChunks(text + LAST), {
    ...ends(400),
    throughNginx: { ...putRight(202, NGINX_READS), older: true },
  }),
  one('a chunk extension of 30 kB', inChunks(`2;a=${'b'.repeat(30_000)}\r\n{}\r\n${LAST}`), {
    ...ends(413),
    throughNginx: putRight(202, NGINX_READS),
  }),
  one('trailers of 30 kB', inChunks(`2\r\n{}\r\n0\r\nX-A: ${'b'.repeat(30_000)}\r\n\r\n`), {
    ...ends(431),
    throughNginx: putRight(202, NGINX_READS),
  }),
  one('a length among the trailers', inChunks('2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n'), {
    ...ends(400),
    throughNginx: putRight(202, NGINX_READS),
  }),
  one('a chunk extension', inChunks(`2;a=b\r\n{}\r\n${LAST}`), created),
  one('a trailer', inChunks('2\r\n{}\r\n0\r\nX-A: b\r\n\r\n'), created),
  one('a coding in capitals', create(`${JSON_TYPE}Transfer-Encoding: CHUNKED\r\n`, chunk('{}') + LAST), created),
  one('a create as the body of another', withLength(raw('POST /create-async')), goesOn(400)),
  one('a create after an empty body', create('Content-Length: 0\r\n', raw('POST /create-async')), {
    answers: [202, 202, 200],
    creates: 2,
  }),
  one('20 requests at once', ask('GET /0', '', raw('GET /0').repeat(19)), {
    answers: [...Array<number>(20).fill(400), 200],
  }),
  one('20 creates at once', create('', raw('POST /create-async').repeat(19)), {
    answers: [...Array<number>(20).fill(202), 200],
    creates: 20,
  }),
  one('a broken create between two', create('', raw('POST /create-async', 'Content-Length: x\r\n')), {
    answers: [202, 400],
    creates: 1,
  }),
  one('a GET with a body', ask('GET /0', 'Content-Length: 5\r\n', 'hello'), goesOn(400)),
  one('a GET with chunks', ask('GET /0', 'Transfer-Encoding: chunked\r\n', chunk('hello') + LAST), goesOn(400)),
];

/** The answer comes while the body is on its way. */
const answeredEarly: Outcome = {
  ...goesOn(413),
  throughNginx: { ...ends(413), because: 'nginx ends what it has not read to its end by then', sometimes: true },
};
const MEGABYTE = ' '.repeat(1_000_000);

const bodies: BadRequest[] = [
  ...each('the body', ['', '{}', ' {\n} ', '\xef\xbb\xbf{}'], (body) => withLength(body), created),
  one('a type and no body', withLength('', 'Content-Type: text/plain\r\n'), created),
  one('a body of 4,097 bytes for a GET', ask('GET /0', 'Content-Length: 4097\r\n', ' '.repeat(4_097)), ends(413)),
  one(
    'a body of 69,633 bytes for create-sync',
    ask('POST /create-sync', `${JSON_TYPE}Content-Length: 69633\r\n`, ' '.repeat(69_633)),
    answeredEarly,
  ),
  one(
    'a body of a megabyte',
    ask('POST /create-sync', `${JSON_TYPE}Content-Length: 1000000\r\n`, MEGABYTE),
    answeredEarly,
  ),
  one('a body of a megabyte for a GET', ask('GET /0', 'Content-Length: 1000000\r\n', MEGABYTE), ends(413)),
  one('a body of a megabyte for nobody', ask('POST /x/y', 'Content-Length: 1000000\r\n', MEGABYTE), ends(413)),
  one(
    'a body of 70 kB in chunks',
    ask('POST /create-sync', `${JSON_TYPE}Transfer-Encoding: chunked\r\n`, chunk(' '.repeat(70_000)) + LAST),
    answeredEarly,
  ),
  one(
    'chunks without an end',
    raw('POST /create-sync', `${JSON_TYPE}Transfer-Encoding: chunked\r\n`, chunk(' '.repeat(1_024)).repeat(69)),
    ends(413),
  ),
  ...each(
    '2 bytes that are said to be',
    ['9000000', '1000000000'],
    (length) => raw('POST /create-async', `${JSON_TYPE}Content-Length: ${length}\r\n`, '{}'),
    ends(413),
  ),
  ...each(
    'the type of {}',
    ['text/plain', 'application/jsonp', 'application/json; charset=iso-8859-1', 'application/json;a=b;charset=utf-16'],
    (type) => withLength('{}', `Content-Type: ${type}\r\n`),
    goesOn(415),
  ),
  ...each(
    'the type of {}',
    ['application/json; charset="UTF-8"', 'application/json;a=b'],
    (type) => withLength('{}', `Content-Type: ${type}\r\n`),
    created,
  ),
  one('{} without a type', withLength('{}', ''), goesOn(415)),
  one('{} with two types', withLength('{}', `${JSON_TYPE}Content-Type: text/plain\r\n`), goesOn(415)),
  one('something packed', withLength('\x1f\x8b\x08\x00', `${JSON_TYPE}Content-Encoding: gzip\r\n`), goesOn(415)),
  ...each(
    'no JSON:',
    ['{', '{"', '\xff\xfe', '{"a":"\xff"}', 'NaN', "{'a':1}", '{}{}', '\0', '{"a":1,}', '\xed\xa0\x80'],
    (body) => withLength(body),
    goesOn(400),
  ),
  ...each(
    'no event:',
    ['null', '[]', '0', '"x"', '{"valor":"x"}', '{"a":1,"a":2}'],
    (body) => withLength(body),
    goesOn(422),
  ),
  ...each(
    'no event:',
    ['{"__proto__":{"bad":1}}', '{"constructor":{"prototype":{"bad":1}}}'],
    (body) => withLength(body),
    goesOn(422),
  ),
  ...each(
    'no event:',
    ['['.repeat(2_000) + ']'.repeat(2_000), `${'{"a":'.repeat(600)}1${'}'.repeat(600)}`],
    (body) => withLength(body),
    goesOn(422),
  ),
];

const kilobytes = (count: number) => 'x'.repeat(count * 1_024);
const listed = (...events: string[]) => `{"events":[${events.join()}]}`;

/** What a create may not say of its events. */
const events: BadRequest[] = [
  ...each(
    'the kind',
    ['"Bad Kind"', `"${'k'.repeat(65)}"`, '5', 'null', '""', '"1a"', '"a\\u0000"', '["a"]'],
    (kind) => withLength(`{"kind":${kind}}`),
    goesOn(422),
  ),
  ...each(
    'the key',
    ['""', `"${'k'.repeat(256)}"`, '5', 'null', '"a\\n"', '"\\u007f"', '"\\udc00"'],
    (key) => withLength(`{"key":${key}}`),
    goesOn(422),
  ),
  ...each(
    'delayMs:',
    ['-1', '1e99', '"5"', '0.5', 'null', '31536000001', 'true'],
    (delay) => withLength(`{"delayMs":${delay}}`),
    goesOn(422),
  ),
  ...each(
    'the member',
    ['priority', 'trace', 'id', '__proto__', 'Kind', ''],
    (name) => withLength(`{"${name}":1}`),
    goesOn(422),
  ),
  one('a payload over 64 kB', withLength(`{"payload":"${kilobytes(64)}"}`), goesOn(413)),
  one('a payload over 64 kB among many', withLength(listed('{}', `{"payload":"${kilobytes(64)}"}`)), goesOn(413)),
  one(
    'a body over 1 MB for create-sync',
    ask('POST /create-sync', `${JSON_TYPE}Content-Length: 1060000\r\n`, ' '.repeat(1_060_000)),
    { ...goesOn(413), throughNginx: { ...ends(413), because: 'nginx does not let so much through' } },
  ),
  one(
    'equal events over 8 MB',
    ask('POST /create-async?count=10000', `${JSON_TYPE}Content-Length: 1038\r\n`, `{"payload":"${kilobytes(1)}"}`),
    goesOn(413),
  ),
  ...each(
    'events:',
    ['[]', '{}', 'null', '5', '"a"', `[${Array(10_001).fill('{}').join()}]`, '[[]]', '[null]', '[{},{"kind":"B"}]'],
    (list) => withLength(`{"events":${list}}`),
    goesOn(422),
  ),
  one('a list beside another member', withLength('{"events":[{}],"kind":"email"}'), goesOn(422)),
  one('a list within a list', withLength(listed(listed('{}'))), goesOn(422)),
  one(
    'a list and count',
    ask('POST /create-async?count=1', `${JSON_TYPE}Content-Length: 15\r\n`, listed('{}')),
    goesOn(422),
  ),
  one(
    'a list for create-sync',
    ask('POST /create-sync', `${JSON_TYPE}Content-Length: 15\r\n`, listed('{}')),
    goesOn(422),
  ),
  one(
    'a payload nested 100,000 deep',
    withLength(`{"payload":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    goesOn(413),
  ),
  one('a list nested a million deep', withLength(listed('['.repeat(1_000_000) + ']'.repeat(1_000_000))), goesOn(422)),
  one('a million brackets', withLength('['.repeat(1_000_000)), goesOn(400)),
  one(
    'what curl -d sends',
    withLength('{"kind":"email"}', 'Content-Type: application/x-www-form-urlencoded\r\n'),
    goesOn(415),
  ),
  one('a word by its kind', withLength('{"kind":"word","payload":{"a":1},"key":"k","delayMs":0}'), created),
  one('a list of two', withLength(listed('{}', '{"kind":"email"}')), { answers: [202, 200], creates: 2 }),
];

const queries: BadRequest[] = [
  ...each(
    'the query',
    'count=0 count=-1 count=1e3 count=10001 count=abc count=1&count=1 count= count Count=1 count=1%00'.split(' '),
    (query) => ask(`POST /create-async?${query}`),
    goesOn(400),
  ),
  ...each(
    'the query',
    'count=%31%30%30%30%31 count[]=1 x=1 __proto__=1 count=1&x count=%ZZ ?count=1'.split(' '),
    (query) => ask(`POST /create-async?${query}`),
    goesOn(400),
  ),
  ...each('the query', ['', '&', '=', 'count=1', '#count=1'], (query) => ask(`POST /create-async?${query}`), created),
  ...each(
    'Prefer:',
    ['wait=0', 'wait=0, wait=abc', 'wait=-1, wait=0', 'WAIT="0"'],
    (preference) => ask('POST /create-sync', `Prefer: ${preference}\r\n`),
    created,
  ),
];

const keyed = (...keys: string[]) => create(keys.map((key) => `Idempotency-Key: ${key}\r\n`).join(''));

const keys: BadRequest[] = [
  ...each(
    'Idempotency-Key:',
    ['', ' ', 'a b', 'a,b', 'a\tb', '\xe9', 'k'.repeat(256)],
    (key) => keyed(key),
    goesOn(400),
  ),
  one('two keys', keyed('a', 'b'), goesOn(400)),
  one('the same key twice', keyed('a', 'a'), goesOn(400)),
  ...each('a control character in Idempotency-Key:', ['a\x01b', 'a\x7fb'], (key) => keyed(key), {
    ...ends(400),
    throughNginx: putRight(400, 'nginx lets it pass, and the producer refuses it'),
  }),
  ...each('Idempotency-Key:', ['a\0b', 'a\rb'], (key) => keyed(key), ends(400)),
  ...each('Idempotency-Key:', ['"quoted"', "';--", 'k'.repeat(255)], (key) => keyed(key), created),
];

export const badRequests = [
  ...paths,
  ...methods,
  ...protocols,
  ...headers,
  ...framing,
  ...bodies,
  ...events,
  ...queries,
  ...keys,
];
