// Every five seconds, replaces what the page shows by what it would show now. Without this script, reload the page.
const SECONDS = 5;

async function refresh() {
  const live = document.getElementById("live");
  // Not while someone types, or reads in a part that has the keyboard's focus.
  if (!document.hidden && !live.contains(document.activeElement)) {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(SECONDS * 4000) });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        // A click may have come meanwhile.
        if (!live.contains(document.activeElement)) live.replaceChildren(...page.getElementById("live").childNodes);
      }
    } catch {
      // The site is down for a moment: the next attempt may succeed.
    }
  }
  setTimeout(refresh, SECONDS * 1000);
}

setTimeout(refresh, SECONDS * 1000);
