// Applies the chosen theme before the first paint. Not a module, because modules run after it.
try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // The browser forbids storage: the system's theme applies.
}
