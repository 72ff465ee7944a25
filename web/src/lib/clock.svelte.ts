/** The time, for what counts down: it ticks only while somebody looks at it. */

import { createSubscriber } from "svelte/reactivity";

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

/** Seconds since this page was opened; who shows it is shown anew each second. */
export function ticking(): number {
  subscribe();
  return performance.now() / 1000;
}
