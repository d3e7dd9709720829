// The data blocks of the file: zlib streams in base64, opened when asked for.

async function open(id) {
  const block = document.getElementById(id);
  if (!block) throw new Error(`the page holds no ${id}: it is not whole`);
  const bytes = Uint8Array.from(atob(block.textContent.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

const whole = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve);
  else resolve();
});

const parts = new Map();

export const openIndex = () => open("index");

/** The row at [part, place] of run `run`; null where the page does not hold its texts. */
export async function openRow(run, place) {
  if (!place) return null;
  await whole; // the parts stand at the end of the file
  const id = `part-${run}-${place[0]}`;
  if (!parts.has(id)) parts.set(id, open(id));
  return (await parts.get(id))[place[1]];
}
