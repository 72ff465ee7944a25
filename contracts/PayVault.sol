// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// One vault for all payers of a network. A payer deposits once; keys that he registers sign vouchers to many payees. A
/// voucher says what a payee has earned in a lane so far, so the newest one holds all older ones.
///
/// Money that is not reserved is credit and no cover: at any time its payer can sign all of it to an address of his
/// own. What is reserved for a payee can leave to nobody else before `until`.
///
/// Nobody owns the vault: there is no pause, no upgrade, no fee, and no way out for money but to its payer and payees.
/// Amounts are SUN, times seconds since 1970. docs/vault.md explains each function.
contract PayVault {
    /// `reserved` is part of `balance`. `asked` may be withdrawn one delay after `askedAt`, for one delay. `bouncedAt`:
    /// when a good voucher last met too little money; 0 for never.
    struct Payer { uint128 balance; uint128 reserved; uint128 asked; uint64 askedAt; uint64 bouncedAt; }

    /// `since`: when it last grew from nothing. Signers who ended before that cannot draw on it.
    struct Reservation { uint128 amount; uint64 until; uint64 since; }

    struct Voucher { address payer; address payee; uint64 epoch; uint256 cumulative; bytes sig; }

    /// How long payees have to redeem once a withdrawal is asked for or a signer removed. It is in storage and not
    /// `immutable`, so that the vaults of all networks have the same code, and one hash is enough to know them.
    uint64 public delay;

    uint64 private constant ACTIVE = type(uint64).max;
    uint64 private constant LONGEST_DELAY = 60 days;
    /// A slip of the pen must not lock money for ever.
    uint64 private constant LONGEST_RESERVATION = 366 days;
    /// Half the order of the curve. For each signature with a lower `s` there is one with a higher; only one is taken.
    uint256 private constant HIGHEST_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant VOUCHER_TYPE =
        keccak256("Voucher(address payer,address payee,uint64 epoch,uint256 cumulative)");

    mapping(address => Payer) public payers;
    /// Of a payer and a signer: 0 for never added, ACTIVE, or when he ends.
    mapping(address => mapping(address => uint64)) public signers;
    /// All that a payer ever added. Only he makes it longer. A wallet restored from its words finds them here.
    mapping(address => address[]) public signerList;
    /// Of a payer and a payee, over all epochs: who lost his books does not lose what is reserved.
    mapping(address => mapping(address => Reservation)) public reservations;
    /// Of a lane (`laneId`): what was redeemed of it, ever.
    mapping(bytes32 => uint128) public paid;
    /// Of a payee: redeemed, and not claimed yet.
    mapping(address => uint128) public credit;

    event Deposited(address indexed payer, uint256 amount);
    event SignerAdded(address indexed payer, address indexed signer);
    event SignerRemoved(address indexed payer, address indexed signer, uint256 end);
    event Reserved(address indexed payer, address indexed payee, uint256 total, uint256 until);
    event Released(address indexed payer, address indexed payee, uint256 amount);
    event WithdrawRequested(address indexed payer, uint256 amount, uint256 from, uint256 lapses);
    event Withdrawn(address indexed payer, uint256 amount);
    event Redeemed(address indexed payer, address indexed payee, uint64 epoch, uint256 paid, uint256 cumulative);
    event Bounced(address indexed payer, address indexed payee, uint256 missing);
    event Skipped(uint256 index, string why);
    event Claimed(address indexed payee, uint256 amount);

    constructor(uint64 delay_) {
        require(delay_ > 0 && delay_ <= LONGEST_DELAY, "delay");
        delay = delay_;
    }

    // ---- what is signed ----

    function laneId(address payer, address payee, uint64 epoch) public pure returns (bytes32) {
        return keccak256(abi.encode(payer, payee, epoch));
    }

    /// Of this vault on this chain; made anew each time, so that it is right on both sides of a fork.
    function domainSeparator() public view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("WildbachVault"), keccak256("1"), block.chainid, address(this)));
    }

    function digest(address payer, address payee, uint64 epoch, uint256 cumulative) public view returns (bytes32) {
        bytes32 voucher = keccak256(abi.encode(VOUCHER_TYPE, payer, payee, epoch, cumulative));
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(), voucher));
    }

    // ---- the payer, by his cold key ----

    function deposit() external payable {
        uint128 amount = uint128(msg.value);
        require(amount == msg.value, "amount");
        payers[msg.sender].balance += amount;
        emit Deposited(msg.sender, amount);
    }

    /// From now on; also takes back a removal. Vouchers that this key signed before count again.
    function addSigner(address signer) external {
        require(signer != address(0), "signer");
        if (signers[msg.sender][signer] == 0) signerList[msg.sender].push(signer);
        signers[msg.sender][signer] = ACTIVE;
        emit SignerAdded(msg.sender, signer);
    }

    /// His vouchers are good as before until the end, one delay from now, and after it for what was reserved before.
    function removeSigner(address signer) external {
        require(signers[msg.sender][signer] == ACTIVE, "not active");
        uint64 end = uint64(block.timestamp) + delay;
        signers[msg.sender][signer] = end;
        emit SignerRemoved(msg.sender, signer, end);
    }

    /// Adds `amount` (0 is allowed) and sets the end, which can be put off and not be brought forward.
    function reserve(address payee, uint128 amount, uint64 until) external {
        Payer storage p = payers[msg.sender];
        Reservation storage r = reservations[msg.sender][payee];
        require(until > block.timestamp && until <= block.timestamp + LONGEST_RESERVATION, "until");
        require(until >= r.until || r.amount == 0, "until");
        require(amount <= p.balance - p.reserved, "over-reserved");
        // Not when it grows from something: one SUN more must not turn away the vouchers of a signer who ended.
        if (r.amount == 0) r.since = uint64(block.timestamp);
        r.amount += amount;
        r.until = until;
        p.reserved += amount;
        emit Reserved(msg.sender, payee, r.amount, until);
    }

    function release(address payee) external {
        require(block.timestamp >= reservations[msg.sender][payee].until, "too early");
        _release(msg.sender, payee);
    }

    /// In place of an earlier request, whose time does not count; 0 takes it back.
    function requestWithdraw(uint128 amount) external {
        Payer storage p = payers[msg.sender];
        p.asked = amount;
        p.askedAt = uint64(block.timestamp);
        emit WithdrawRequested(msg.sender, amount, block.timestamp + delay, block.timestamp + 2 * uint256(delay));
    }

    /// What was asked for, or what is free where that is less. A request lapses: else one that was made long ago would
    /// be a way out without notice.
    function withdraw() external {
        Payer storage p = payers[msg.sender];
        require(p.asked > 0 && block.timestamp >= p.askedAt + delay, "too early");
        require(block.timestamp < p.askedAt + 2 * uint256(delay), "lapsed");
        uint128 free = p.balance - p.reserved;
        uint128 out = p.asked < free ? p.asked : free;
        p.asked = 0;
        p.balance -= out;
        emit Withdrawn(msg.sender, out);
        _send(msg.sender, out);
    }

    // ---- the payee ----

    /// Gives back early what `payer` reserved for the sender.
    function waive(address payer) external {
        _release(payer, msg.sender);
    }

    // ---- anyone: what is redeemed goes to its payee alone ----

    /// Reverts where nothing is paid.
    function redeem(address payer, address payee, uint64 epoch, uint256 cumulative, bytes calldata sig)
        external returns (uint256)
    {
        (uint128 out, string memory why) = _redeem(payer, payee, epoch, cumulative, sig);
        require(out > 0, why);
        return out;
    }

    /// What pays nothing is skipped: whoever redeems one of them first does not stop the others.
    function redeemMany(Voucher[] calldata list) external {
        for (uint256 i = 0; i < list.length; i++) {
            Voucher calldata v = list[i];
            (uint128 out, string memory why) = _redeem(v.payer, v.payee, v.epoch, v.cumulative, v.sig);
            if (out == 0) emit Skipped(i, why);
        }
    }

    /// A payee that does not take the money stops nobody but himself.
    function claim(address payee) external {
        uint128 out = credit[payee];
        require(out > 0, "nothing");
        credit[payee] = 0;
        emit Claimed(payee, out);
        _send(payee, out);
    }

    // ---- inside ----

    function _redeem(address payer, address payee, uint64 epoch, uint256 cumulative, bytes calldata sig)
        private returns (uint128, string memory)
    {
        address signer = _recover(digest(payer, payee, epoch, cumulative), sig);
        uint64 end = signer == address(0) ? 0 : signers[payer][signer];
        if (end == 0) return (0, "bad sig");
        return _pay(payer, payee, epoch, cumulative, end);
    }

    /// Draws on the reservation first, then on free money while the signer has not ended. `paid` grows by what was paid
    /// and no more, so the rest of a voucher stays good.
    function _pay(address payer, address payee, uint64 epoch, uint256 cumulative, uint64 end)
        private returns (uint128 out, string memory why)
    {
        Payer storage p = payers[payer];
        Reservation storage r = reservations[payer][payee];
        bytes32 id = laneId(payer, payee, epoch);
        if (cumulative <= paid[id]) return (0, "stale");
        uint256 want = cumulative - paid[id];
        uint128 cover = r.amount;
        uint128 available = cover;
        bool ended = block.timestamp >= end;
        if (!ended) available += p.balance - p.reserved;
        else if (block.timestamp >= r.until || r.since >= end) return (0, "signer removed");
        // Never cut off: `available` has 128 bits, and `want` is no more than that here.
        out = want > available ? available : uint128(want);
        // An empty payer does not bounce: it would be an event for anyone to repeat.
        if (out == 0) return (0, "no funds");
        if (cover > out) cover = out;
        if (cover > 0) r.amount -= cover;
        (p.balance, p.reserved) = (p.balance - out, p.reserved - cover);
        paid[id] += out;
        credit[payee] += out;
        // What a signer who ended has signed beyond the reservation is void, and no fault of the payer.
        if (out < want && !ended) {
            p.bouncedAt = uint64(block.timestamp);
            emit Bounced(payer, payee, want - out);
        }
        emit Redeemed(payer, payee, epoch, out, cumulative);
    }

    function _release(address payer, address payee) private {
        Reservation storage r = reservations[payer][payee];
        uint128 amount = r.amount;
        require(amount > 0, "nothing");
        r.amount = 0;
        r.until = 0;
        payers[payer].reserved -= amount;
        emit Released(payer, payee, amount);
    }

    /// The last step of who calls it: a receiver that calls back finds the books closed.
    function _send(address to, uint256 amount) private {
        (bool ok,) = to.call{value: amount}("");
        require(ok, "send");
    }

    /// Nobody (0) for all but the one form of a signature that is taken: 65 bytes, a low `s`, `v` 27 or 28.
    function _recover(bytes32 hash, bytes calldata sig) private pure returns (address) {
        if (sig.length != 65) return address(0);
        uint8 v = uint8(sig[64]);
        if (v != 27 && v != 28) return address(0);
        if (uint256(bytes32(sig[32:64])) > HIGHEST_S) return address(0);
        return ecrecover(hash, v, bytes32(sig[0:32]), bytes32(sig[32:64]));
    }
}
