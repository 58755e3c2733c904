// GET /console and its files. They hold nothing secret: with a token the page asks for it, and shows nothing before.
import { Controller, Get, Headers, NotFoundException, Param, Res } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { SkipThrottle } from '@nestjs/throttler';
import { managementListener } from '../message/listener.js';
import { type PageFile, PageFiles } from './page-files.js';

/** The part of a reply that is used here. */
interface Reply {
  status(code: number): Reply;
  headers(headers: Readonly<Record<string, string>>): Reply;
  send(body?: Buffer): unknown;
}

/**
 * Nothing from elsewhere, nothing inline, no frame around it; `require-trusted-types-for` has the browser refuse every
 * way by which a text could become markup or code.
 */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  // Always asked for anew: it is never of another version than what it talks to.
  'cache-control': 'no-cache',
};

@Controller('console')
@SkipThrottle()
export class PageController {
  constructor(private readonly files: PageFiles) {}

  @Get()
  @RouteConstraints(managementListener)
  page(@Headers('if-none-match') known: string | undefined, @Res() reply: Reply): void {
    send(this.files.find('index.html') as PageFile, known, reply);
  }

  @Get('assets/:name')
  @RouteConstraints(managementListener)
  asset(@Param('name') name: string, @Headers('if-none-match') known: string | undefined, @Res() reply: Reply): void {
    const file = this.files.find(name);
    if (file === null) throw new NotFoundException('the page has no such file');
    send(file, known, reply);
  }
}

function send({ type, bytes, etag }: PageFile, known: string | undefined, reply: Reply): void {
  reply.headers({ ...pageHeaders, etag });
  if (known === etag) reply.status(304).send();
  else reply.status(200).headers({ 'content-type': type }).send(bytes);
}
