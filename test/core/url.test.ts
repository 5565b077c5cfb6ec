import { pathOf, writeUrl } from "../../core/url";

test.each(["::1", "[::1]"])("an IPv6 address is in brackets: %s", (host) => {
	expect(writeUrl("http", host, 8080, "/api")).toBe("http://[::1]:8080/api");
	expect(writeUrl("https", host, 443, "")).toBe("https://[::1]");
});

describe("a URL leaves out the port that is its scheme's default", () => {
	test.each([
		["http", 80, "/api", "http://api.example/api"],
		["https", 443, "/api", "https://api.example/api"],
		["grpc", 80, "", "grpc://api.example"],
		["grpcs", 443, "", "grpcs://api.example"],
		["ws", 80, "", "ws://api.example"],
		["wss", 443, "", "wss://api.example"],
		["http", 443, "/", "http://api.example:443/"],
		["https", 80, "/", "https://api.example:80/"],
		["https", 8443, "", "https://api.example:8443"],
		["tcp", 80, "", "tcp://api.example:80"],
		["constructor", 80, "", "constructor://api.example:80"],
	])("%s, port %d, path %j: %s", (scheme, port, path, url) => {
		expect(writeUrl(scheme, "api.example", port, path)).toBe(url);
	});
});

test.each([
	["/a/b", "/a/b"],
	["/a?b#c", "/a"],
	["/a#b?c", "/a"],
	["/#", "/"],
	["?a", ""],
	["/a%23b%3Fc", "/a%23b%3Fc"],
])("the path of %s is %j", (target, path) => {
	expect(pathOf(target)).toBe(path);
});
