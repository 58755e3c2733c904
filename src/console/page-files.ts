// The files of the page, read once, from where the build put them and from the chart library's package.

import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Injectable } from '@nestjs/common';

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const own = fileURLToPath(new URL('./page/', import.meta.url));
const charts = dirname(createRequire(import.meta.url).resolve('uplot'));

@Injectable()
export class PageFiles {
  private readonly files = new Map<string, PageFile>();

  constructor() {
    const ownNames = readdirSync(own).filter((name) => types[extname(name)] !== undefined);
    for (const name of ownNames) this.add(name, join(own, name));
    this.add('uplot.js', join(charts, 'uPlot.iife.min.js'));
    this.add('uplot.css', join(charts, 'uPlot.min.css'));
  }

  /** Null for what is not there. */
  find(name: string): PageFile | null {
    return this.files.get(name) ?? null;
  }

  private add(name: string, path: string): void {
    const bytes = readFileSync(path);
    const etag = `"${hash('sha256', bytes, 'base64url').slice(0, 22)}"`;
    this.files.set(name, { type: types[extname(name)] as string, bytes, etag });
  }
}
