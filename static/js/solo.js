// One medium with tools of its own: in a prompt, or beside a response of another kind.

import { h } from "./dom.js";

/**
 * What a viewer's sides share. @param {any} module a viewer
 * @param {boolean} quiet nothing is heard until one asks for it
 */
export function linkFrom(module, quiet) {
  const link = module.createLink?.() ?? null;
  if (link && quiet) link.quiet = true;
  return link;
}

/**
 * @param {HTMLElement} element
 * @param {any} module a viewer
 * @param {{medium: any, label: string, side: string}} data
 * @param {{keys: Keys, name: string, quiet?: boolean, extra?: Node[]}} how its keys act while the focus is in it
 * @returns {{link: any, destroy: () => void, keys: Record<string, any>|null}}
 */
export function mountAlone(element, module, data, { keys, name, quiet = false, extra = [] }) {
  const link = linkFrom(module, quiet);
  const stage = h("div", { class: "stage" });
  const viewer = module.mount(stage, { ...data, link });
  const tools = link ? module.tools?.(link) : null;
  const content = [...(tools?.content ?? []), ...extra];
  const bar = content.length ? h("div", { class: "tools", role: "toolbar", "aria-label": data.label }, ...content) : null;
  element.replaceChildren(stage, ...(bar ? [bar] : []));
  keys.bind(name, tools?.keys ?? null, { within: element });
  return {
    link,
    keys: tools?.keys ?? null,
    destroy() {
      keys.bind(name, null);
      viewer.destroy();
    },
  };
}
