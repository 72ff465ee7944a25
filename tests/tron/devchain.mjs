// What tronweb, unchanged, does with a chain for development: reads {url, key, other, abi, bytecode} from its input and
// prints what it saw.
import { readFileSync } from "node:fs";
import { TronWeb, utils } from "tronweb";

const { url, key, other, abi, bytecode } = JSON.parse(readFileSync(0, "utf8"));
const tron = new TronWeb({ fullHost: url, privateKey: key });
const me = tron.defaultAddress.base58;
const you = TronWeb.address.fromPrivateKey(other);
const saw = {};
const failure = async (work) => {
  try {
    return { passed: await work() };
  } catch (error) {
    return { message: String(error.message ?? error), error: String(error.error ?? "") };
  }
};

saw.transfer = await tron.trx.sendTransaction(you, 300_000_000);
saw.balance = await tron.trx.getBalance(you);
saw.solidBalance = await tron.trx.getUnconfirmedBalance(you);
saw.transferInfo = await tron.trx.getTransactionInfo(saw.transfer.txid);
saw.told = (await tron.trx.getTransaction(saw.transfer.txid)).ret;

const built = await tron.transactionBuilder.createSmartContract(
  { abi, bytecode, feeLimit: 1_000_000_000, name: "PayVault", parameters: [60] }, me,
);
const signed = await tron.trx.sign(built);
saw.deploy = (await tron.trx.sendRawTransaction(signed)).result;
const deployed = await tron.trx.getTransactionInfo(built.txID);
saw.deployed = { result: deployed.receipt.result, where: deployed.contract_address === built.contract_address };
saw.code = (await tron.trx.getContract(built.contract_address)).name;
saw.again = await tron.trx.sendRawTransaction(signed);

const vault = tron.contract(abi, built.contract_address);
saw.delay = (await vault.delay().call()).toString();
const paid = await vault.deposit().send({ callValue: 40_000_000, feeLimit: 100_000_000 });
await vault.addSigner(me).send({ feeLimit: 100_000_000 });
saw.balanceThere = (await vault.payers(me).call()).balance.toString();

const block = await tron.trx.getBlockByNumber(0);
const chainId = parseInt(block.blockID.slice(-8), 16);
const domain = { name: "WildbachVault", version: "1", chainId, verifyingContract: built.contract_address };
const types = { Voucher: [
  { name: "payer", type: "address" }, { name: "payee", type: "address" }, { name: "epoch", type: "uint64" },
  { name: "cumulative", type: "uint256" },
] };
const voucher = { payer: me, payee: you, epoch: 1, cumulative: 2_500_000 };
saw.sameDigest = utils._TypedDataEncoder.hash(domain, types, voucher)
  === await vault.digest(me, you, 1, 2_500_000).call();
const signature = await tron.trx._signTypedData(domain, types, voucher);
const theirs = new TronWeb({ fullHost: url, privateKey: other });
const there = theirs.contract(abi, built.contract_address);
const redeemed = await there.redeem(me, you, 1, 2_500_000, signature).send({ feeLimit: 100_000_000 });
saw.redeemed = (await theirs.trx.getTransactionInfo(redeemed)).receipt.result;

saw.reverted = await failure(
  () => vault.withdraw().send({ feeLimit: 100_000_000, shouldPollResponse: true, pollTimes: 2 }));
saw.revertedCall = await failure(() => vault.signerList(me, 99).call());
const poor = await vault.deposit().send({ callValue: 1, feeLimit: 100_000 });
saw.poor = (await tron.trx.getTransactionInfo(poor)).receipt.result;

saw.events = (await tron.event.getEventsByContractAddress(built.contract_address, { eventName: "Deposited" })).data
  .map((one) => [one.event_name, one.transaction_id === paid]);
saw.eventsOf = (await tron.event.getEventsByTransactionID(redeemed)).data.map((one) => one.event_name);
saw.eventsOfBlock = (await tron.event.getEventsOfLatestBlock()).success;

const draft = await tron.transactionBuilder.sendTrx(you, 5, me);
saw.badSignature = await tron.trx.sendRawTransaction({ ...draft, signature: ["00".repeat(65)] });
saw.tooMuch = await tron.trx.sendTransaction(you, 10 ** 15);
const late = await tron.trx.sign(await tron.transactionBuilder.sendTrx(you, 6, me));
late.raw_data.expiration = 1;
saw.energy = (await tron.transactionBuilder.estimateEnergy(
  built.contract_address, "deposit()", { callValue: 5 }, [], me)).energy_required;
saw.resources = (await tron.trx.getAccountResources(me)).freeNetLimit;
saw.bandwidth = await tron.trx.getBandwidth(me);
saw.parameters = (await tron.trx.getChainParameters()).find((one) => one.key === "getEnergyFee").value;
saw.node = (await tron.trx.getNodeInfo()).block.startsWith("Num:");
saw.range = (await tron.trx.getBlockRange(0, 2)).length;
saw.current = (await tron.trx.getCurrentBlock()).block_header.raw_data.number > 3;
saw.confirmed = (await tron.trx.getConfirmedCurrentBlock()).blockID.length;
saw.signers = (await tron.trx.getSignWeight(signed)).approved_list?.length;
saw.hex = (await tron.trx.sendHexTransaction((() => {
  const pb = utils.transaction.txJsonToPb(late);
  return Buffer.from(pb.serializeBinary()).toString("hex");
})())).code;
console.log(JSON.stringify(saw));
