/** nginx and haproxy: what the best of servers written in C need for the same bytes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { API_HOST, SECOND_HOST, SECOND_KEY, SECOND_PREFIX } from '../load/wire.ts';
import { freePort, missingProgram, plainAt, tlsAt } from './site.ts';
import type { Plan, Site, Target } from './types.ts';

export const nginx: Target = {
  name: 'nginx',
  about: 'nginx, one worker, TLS in and out, unbuffered; it looks into nothing',
  duty: 'passes',
  missing: () => missingProgram('nginx', 'nginx'),
  plan: planNginx,
};

async function planNginx(site: Site): Promise<Plan> {
  const { folder, certificates } = site;
  const [tlsPort, plainPort, h2Port] = [await freePort(), await freePort(), await freePort()];
  const configuration = join(folder, 'nginx.conf');
  mkdirSync(folder, { recursive: true });
  writeFileSync(configuration, nginxConfiguration(site, { tlsPort, plainPort, h2Port }));
  return {
    command: ['nginx', '-e', join(folder, 'error.log'), '-c', configuration],
    env: {},
    ports: [tlsPort, plainPort, h2Port],
    access: () => ({
      tls: tlsAt(tlsPort, certificates.caPem),
      gateway: plainAt(plainPort),
      h2: tlsAt(h2Port, certificates.caPem, true),
    }),
    usageFile: null,
  };
}

interface NginxPorts {
  readonly tlsPort: number;
  readonly plainPort: number;
  readonly h2Port: number;
}

function nginxConfiguration(site: Site, ports: NginxPorts): string {
  const { folder, certificates, upstreamPort } = site;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${join(folder, name)};`)
    .join('\n  ');
  return `
worker_processes 1;
daemon off;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary}
  client_max_body_size 64m;
  client_body_buffer_size 64k;
  keepalive_requests 1000000000;
  http2_max_requests 1000000000;
  upstream api {
    server 127.0.0.1:${upstreamPort};
    keepalive 512;
    keepalive_requests 1000000000;
  }
  ssl_certificate ${certificates.certFile};
  ssl_certificate_key ${certificates.keyFile};
  server {
    listen 127.0.0.1:${ports.plainPort};
    listen 127.0.0.1:${ports.tlsPort} ssl;
    listen 127.0.0.1:${ports.h2Port} ssl http2;
    location / {
      proxy_pass https://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host ${API_HOST};
      proxy_ssl_name ${API_HOST};
      proxy_ssl_server_name on;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${certificates.caFile};
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}
`;
}

export const haproxy: Target = {
  name: 'haproxy',
  about:
    'haproxy, one thread: holds the body, routes by its model and swaps the key; notes nothing',
  duty: 'routes',
  missing: () => missingProgram('haproxy', 'haproxy'),
  plan: planHaproxy,
};

async function planHaproxy(site: Site): Promise<Plan> {
  const { folder, certificates } = site;
  const [tlsPort, plainPort] = [await freePort(), await freePort()];
  const configuration = join(folder, 'haproxy.cfg');
  mkdirSync(folder, { recursive: true });
  writeFileSync(configuration, haproxyConfiguration(site, tlsPort, plainPort));
  return {
    command: ['haproxy', '-db', '-f', configuration],
    env: {},
    ports: [tlsPort, plainPort],
    access: () => ({
      tls: tlsAt(tlsPort, certificates.caPem),
      gateway: plainAt(plainPort),
      h2: tlsAt(tlsPort, certificates.caPem, true),
    }),
    usageFile: null,
  };
}

/** The buffer must hold the largest body whole: haproxy routes only by what it holds. */
function haproxyConfiguration(site: Site, tlsPort: number, plainPort: number): string {
  const { certificates, upstreamPort } = site;
  const server = (host: string): string =>
    `server api 127.0.0.1:${upstreamPort} ssl verify required ca-file ${certificates.caFile} ` +
    `sni str(${host}) verifyhost ${host} alpn http/1.1`;
  return `
global
  nbthread 1
  maxconn 4096
  tune.bufsize 1400000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend in
  bind 127.0.0.1:${plainPort}
  bind 127.0.0.1:${tlsPort} ssl crt ${certificates.bothFile} alpn h2,http/1.1
  option http-buffer-request
  http-request wait-for-body time 10s at-least 1300000
  http-request set-var(txn.model) req.body,json_query('$.model')
  use_backend second if { var(txn.model) -m sub haiku }
  default_backend first
backend first
  ${server(API_HOST)}
backend second
  http-request set-path ${SECOND_PREFIX}%[path]
  http-request set-header host ${SECOND_HOST}
  http-request del-header authorization
  http-request set-header x-api-key ${SECOND_KEY}
  ${server(SECOND_HOST)}
`;
}
