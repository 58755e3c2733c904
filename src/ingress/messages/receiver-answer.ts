// A receiver's answer as the answer of /v1 to the caller who waited for it.
import { messageHeader } from '../../message/message.js';
import type { Reply } from '../../message/reply.js';
import type { DoorReply } from '../exchange.js';
import { replyHeader } from '../waiting-caller.js';
import { problemOf, sendProblem } from './problem.js';

/** The receiver's status, body and some of its headers; 502 where there is none to show. `bigpipe-reply` tells it from bigpipe's own. */
export function sendReceiverAnswer<Answer extends DoorReply>(reply: Answer, found: Reply): Answer {
  reply.header(messageHeader.id, found.id).header(replyHeader, found.kind).header('cache-control', 'no-store');
  if (found.kind === 'failed') {
    const told = found.status === 0 ? found.detail : `${found.detail} (it answered ${found.status})`;
    return sendProblem(reply, problemOf('not-delivered', told));
  }
  reply.status(found.status).headers(found.headers).send(found.body);
  return reply;
}
