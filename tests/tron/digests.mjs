// What tronweb makes of typed data: reads a JSON list of {domain, kind, message, key} from its input, prints a list of
// {digest, signature, separator}.
import { readFileSync } from "node:fs";
import { TronWeb, utils } from "tronweb";

const FIELDS = {
  Voucher: [["payer", "address"], ["payee", "address"], ["epoch", "uint64"], ["cumulative", "uint256"]],
  Accept: [
    ["payer", "address"], ["payee", "address"], ["offerId", "bytes8"], ["infohash", "bytes32"], ["expiry", "uint64"],
  ],
};
const answers = [];
for (const { domain, kind, message, key } of JSON.parse(readFileSync(0, "utf8"))) {
  const types = { [kind]: FIELDS[kind].map(([name, type]) => ({ name, type })) };
  const tron = new TronWeb({ fullHost: "http://127.0.0.1:1", privateKey: key });
  answers.push({
    digest: utils._TypedDataEncoder.hash(domain, types, message),
    separator: utils._TypedDataEncoder.hashDomain(domain),
    signature: await tron.trx._signTypedData(domain, types, message),
  });
}
console.log(JSON.stringify(answers));
