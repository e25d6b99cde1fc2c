// A page without a driver: it asks the test what to run, and tells what came of it.

/** Runs what the test at `driver` wants, for as long as the page is there. */
export async function drive(driver) {
  const tell = (path, body) => fetch(driver + path, { method: "POST", body });
  console.log = (line) => void tell("/log", line);
  for (;;) {
    const { id, work, args } = await (await tell("/job", "")).json();
    const result = { id };
    try {
      result.value = await (0, eval)(`(${work})`)(...args);
    } catch (error) {
      result.error = `${error}\n${error?.stack}`;
    }
    await tell("/result", JSON.stringify(result));
  }
}
