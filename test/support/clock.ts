/** A whole second, so that tokens are not a part of one older than their claims have it. */
export const NOW = 1_795_434_402_000;

/** So many seconds later. */
export const seconds = (count: number) => NOW + count * 1000;

/** Sets the clock by which tokens expire to `NOW` before each test; other clocks and timers go on. */
export function onlyTheClockIsFake(): void {
	beforeEach(() => {
		jest.useFakeTimers({
			now: NOW,
			doNotFake: [
				...(["hrtime", "nextTick", "performance", "queueMicrotask"] as const),
				...(["setImmediate", "clearImmediate", "setInterval"] as const),
				...(["clearInterval", "setTimeout", "clearTimeout"] as const),
			],
		});
	});
	afterEach(() => jest.useRealTimers());
}
