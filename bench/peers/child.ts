import { loadPeer } from './peers.ts';
import { type Answer, fill, measureAdds, measureBulkAdds, measureDrain, measureLatency, type Task } from './task.ts';

/** One task in a process of its own, so that no peer meets another's garbage collection, or its own of a task before. */
async function main(task: Task): Promise<Answer> {
  const peer = await loadPeer(task.peer);
  switch (task.do) {
    case 'add':
      return { perSecond: await measureAdds(peer, task.url, task.warmUpMs, task.measureMs) };
    case 'bulk':
      return { perSecond: await measureBulkAdds(peer, task.url, task.warmUpMs, task.measureMs) };
    case 'fill':
      await fill(peer, task.url, task.metric, task.jobs);
      return 'done';
    case 'drain':
      return { perSecond: await measureDrain(peer, task.url, task.jobs) };
    case 'look':
      return { latenciesMs: await measureLatency(peer, task.url, task) };
    case 'work': {
      await peer.work(task.url, 'two-processes', () => {});
      process.send!('working');
      return new Promise<Answer>(() => {}); // until the parent lets go
    }
  }
}

// The parent is done with us, or gone; every answer has been sent by then.
process.on('disconnect', () => process.exit(0));
// Ctrl-C and the end of the terminal reach the whole group: the parent decides in which order things end.
process.on('SIGINT', () => {}).on('SIGHUP', () => {});

main(JSON.parse(process.argv[2]!) as Task).then(
  (answer) => process.send!(answer),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
