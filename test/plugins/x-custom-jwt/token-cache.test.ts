import type { IssuedToken, UnsignedToken } from "../../../core/token";
import { TokenCache } from "../../../plugins/x-custom-jwt/token-cache";
import { NOW, onlyTheClockIsFake, seconds } from "../../support/clock";

onlyTheClockIsFake();

const EXP = NOW / 1000 + 1800;

/** A token that lacks its signature; `sign` of the cache gets it. */
const unsigned = (name: string, size = 100, exp = EXP): UnsignedToken => ({
	signingInput: name.padEnd(size),
	exp,
	sign: () => issued(name),
});

const issued = (token: string): IssuedToken => ({
	token,
	logged: {},
	warning: undefined,
});

/** A cache whose tokens are signed at once. */
const cache = () => new TokenCache(60, 10_000, async (token) => token.sign(""));

describe("a cache", () => {
	/** Puts so many tokens of a size into a cache; returns which are still there. */
	function kept(count: number, size: number): number[] {
		const tokens = cache();
		const names = Array.from({ length: count }, (_, i) => i);
		for (const i of names) tokens.get(`${i}`, () => unsigned(`${i}`, size));
		return names.filter((i) => tokens.recall(`${i}`) !== undefined);
	}

	test("keeps as many tokens as it may, those used last", () => {
		const names = kept(12_000, 100);
		expect(names).toHaveLength(10_000);
		expect(names[0]).toBe(2000);
	});

	test("keeps fewer when their claims are big", () => {
		expect(kept(100, 1_048_576)).toHaveLength(16);
	});

	test("does not keep one that is bigger than all it may keep, nor makes room for it", () => {
		const tokens = cache();
		tokens.get("small", () => unsigned("small"));
		tokens.get("big", () => unsigned("big", 16_780_001));
		expect(tokens.recall("big")).toBeUndefined();
		expect(tokens.recall("small")).toBeDefined();
	});

	test("takes no memory for tokens that it does not have: there is one in every instance", () => {
		const bytes = () => {
			const { heapUsed, arrayBuffers } = process.memoryUsage();
			return heapUsed + arrayBuffers;
		};
		const before = bytes();
		const caches = Array.from({ length: 200 }, cache);
		expect(bytes() - before).toBeLessThan(caches.length * 50_000);
	});

	test("goes by the clock that tokens expire by, also when it is set forward", () => {
		const tokens = cache();
		tokens.get("a", () => unsigned("a"));
		expect(tokens.recall("a")).toBeDefined();
		jest.setSystemTime(seconds(61));
		expect(tokens.recall("a")).toBeUndefined();
	});

	test("gives no token of the future when the clock is set back, but the next one", async () => {
		const tokens = cache();
		const given = async (name: string) =>
			(await tokens.get("a", () => unsigned(name)).token).token;
		jest.setSystemTime(seconds(0.5));
		expect(await given("a")).toBe("a");
		jest.setSystemTime(seconds(0));
		expect(await given("b")).toBe("a");
		jest.setSystemTime(seconds(-3600));
		expect(tokens.recall("a")).toBeUndefined();
		expect(await given("b")).toBe("b");
		jest.setSystemTime(seconds(-3560));
		expect(await given("c")).toBe("b");
		jest.setSystemTime(seconds(-3539));
		expect(await given("d")).toBe("d");
	});

	test("keeps no token that is too short-lived to be given twice", async () => {
		const tokens = cache();
		jest.setSystemTime(seconds(0.9));
		for (const name of ["a", "b"]) {
			const { token, hit } = tokens.get("a", () =>
				unsigned(name, 100, NOW / 1000 + 1),
			);
			expect([(await token).token, hit]).toEqual([name, false]);
		}
	});

	test("keeps nothing of a token that cannot be issued", () => {
		const tokens = cache();
		const expired = () => {
			throw new Error("expired");
		};
		expect(() => tokens.get("a", expired)).toThrow("expired");
		expect(tokens.recall("a")).toBeUndefined();
	});

	test("forgets one that could not be signed", async () => {
		const tokens = new TokenCache(60, 10_000, () =>
			Promise.reject(new Error("no entropy")),
		);
		const { token } = tokens.get("a", () => unsigned("a"));
		expect(tokens.recall("a")).toBeDefined();
		await expect(token).rejects.toThrow("no entropy");
		expect(tokens.recall("a")).toBeUndefined();
	});
});

describe("when the time of a token is nearly over", () => {
	/** A cache with a token that was issued at the first second, at 57 seconds. */
	async function nearlyOver() {
		const sign = jest.fn<Promise<IssuedToken>, [UnsignedToken]>();
		const tokens = new TokenCache(60, 10_000, sign);
		const given = () =>
			tokens.get("a", () => unsigned("a")).token.then(({ token }) => token);
		sign.mockResolvedValueOnce(issued("1"));
		expect(await given()).toBe("1");
		jest.setSystemTime(seconds(57));
		return { sign, given };
	}

	test("it is given while the next one is being signed, which is signed once", async () => {
		const { sign, given } = await nearlyOver();
		let finish = (_: IssuedToken) => {};
		const next = new Promise<IssuedToken>((resolve) => {
			finish = resolve;
		});
		sign.mockReturnValueOnce(next);
		expect(await Promise.all([given(), given()])).toEqual(["1", "1"]);
		jest.setSystemTime(seconds(59));
		expect(await given()).toBe("1");
		finish(issued("2"));
		await next;
		expect(await given()).toBe("2");
		// Its time began when it was issued.
		jest.setSystemTime(seconds(57 + 59.9));
		sign.mockReturnValueOnce(new Promise(() => {}));
		expect(await given()).toBe("2");
		expect(sign).toHaveBeenCalledTimes(3);
	});

	test("but not longer than it may be, however long that takes", async () => {
		const { sign, given } = await nearlyOver();
		sign.mockReturnValueOnce(new Promise(() => {}));
		expect(await given()).toBe("1");
		jest.setSystemTime(seconds(60.001));
		sign.mockResolvedValueOnce(issued("3"));
		expect(await given()).toBe("3");
	});

	test("a burst signs one next, also when that fails, which fails no request until then", async () => {
		const { sign, given } = await nearlyOver();
		sign.mockImplementation(() => Promise.reject(new Error("no entropy")));
		const burst = await Promise.all(Array.from({ length: 100 }, given));
		expect(new Set(burst)).toEqual(new Set(["1"]));
		expect(sign).toHaveBeenCalledTimes(2);
		jest.setSystemTime(seconds(59.9));
		expect(await given()).toBe("1");
		jest.setSystemTime(seconds(60.1));
		await expect(given()).rejects.toThrow("no entropy");
	});
});
