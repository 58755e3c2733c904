// The books of a group see what must not be: a lost message, one before its key's turn, a repeat that does not say so, two at once.
import { expect, test } from 'vitest';
import { GroupBooks, SentBooks } from '../../support/group-books.js';

function newBooks() {
  const sent = new SentBooks();
  for (const number of [0, 1, 3]) sent.accept(`a-${number}`);
  return new GroupBooks('G', sent);
}

test('each in its turn, done, and again with its reason: nothing to say', () => {
  const books = newBooks();
  for (const name of ['a-0', 'a-1']) {
    books.begin(name, undefined)();
    books.done.add(name);
  }
  books.begin('a-1', 'crash')();
  // Nobody knows whether it was stored.
  books.begin('a-2', undefined)();
  books.begin('a-3', undefined)();
  books.done.add('a-3');
  expect([books.faults, books.lost()]).toEqual([[], []]);
  expect(books.text).toBe('G: 3 accepted, 0 lost, 0 faults, repeats: crash 1');
});

test('a message that came and was never done is lost', () => {
  const books = newBooks();
  books.begin('a-0', undefined)();
  expect(books.lost()).toEqual(['a-0', 'a-1', 'a-3']);
});

test('before its turn, unnamed, beside another of its key: each is a fault', () => {
  const books = newBooks();
  books.begin('a-1', undefined)();
  expect(books.faults).toEqual(['a-1 came before a-0 was done']);
  const end = books.begin('a-0', undefined);
  books.begin('a-0', undefined);
  end();
  expect(books.faults.slice(1)).toEqual([
    'a-0 came while another message of its key was under way',
    'a-0 came again unnamed',
  ]);
});
