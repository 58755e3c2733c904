// Before anything is drawn: light or dark, as it was chosen here, else as the machine says.
{
  const chosen = localStorage.getItem('bigpipe.theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
}
