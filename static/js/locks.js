// Web Locks, which a browser grants to secure pages only; without them every tab goes on alone, and the server's
// keys still let nothing be stored twice.

/** Runs `work` while no other tab does. @template T @param {string} name @param {() => Promise<T>} work */
export async function exclusively(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}

/**
 * Holds `name` for the life of this tab.
 * @param {string} name
 * @param {{steal?: boolean, lost: () => void}} options `lost` is called when another tab has taken it
 * @returns {Promise<{release: () => void}|null>} null where another tab holds it
 */
export function hold(name, { steal = false, lost }) {
  if (!navigator.locks) return Promise.resolve({ release() {} });
  return new Promise((resolve) => {
    let release = () => {};
    let held = false;
    navigator.locks
      .request(name, steal ? { steal: true } : { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        held = true;
        return new Promise((done) => {
          release = done;
          resolve({ release });
        });
      })
      .catch(() => (held ? lost() : resolve(null)));
  });
}
