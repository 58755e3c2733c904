// The keys of the whole page. What is typed into a field, or while a dialog is open, is none of them.

export interface KeyOrders {
  readonly tab: (index: number) => void;
  readonly search: () => void;
  readonly theme: () => void;
  readonly help: () => void;
}

export function onKeys({ tab, search, theme, help }: KeyOrders): void {
  document.addEventListener('keydown', (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return;
    if (target instanceof HTMLElement && target.matches('input, select, textarea')) {
      if (key === 'Escape') target.blur();
      return;
    }
    const orders: Readonly<Record<string, () => void>> = { '/': search, t: theme, '?': help };
    const order = /^[1-9]$/.test(key) ? () => tab(Number(key) - 1) : orders[key];
    if (order === undefined) return;
    event.preventDefault();
    order();
  });
}
