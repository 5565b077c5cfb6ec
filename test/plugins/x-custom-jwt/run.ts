import { Plugin } from "../../../plugins/x-custom-jwt";
import { type FakeRequest, fakeKong, type Seen } from "./fake-kong";
import { rawConfig } from "./samples";

/** Runs one request through a new instance of the plugin. */
export async function run(
	request: FakeRequest,
	config: object = {},
): Promise<Seen> {
	const kong = fakeKong(request);
	await new Plugin(rawConfig(config)).access(kong);
	return kong.seen;
}
