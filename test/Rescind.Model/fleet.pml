/*
 * Epochs, recovery, failover and split brain: three servers of Redis, a node that revokes and one that follows.
 *
 * Any replica may be promoted, also one that lags; the old master may live on; a server may restart with all, with
 * an old part or with none of its data. Calls, answers and confirmations by replicas take any time, and get lost. A
 * silent node may be given up at any time. The revocation is entry E. Of what is below a lease, receipt.pml has the
 * details: a check is one step here, and a bound is one tick.
 *
 * A define named after a mistake makes it; without one the protocol is right. See README.md.
 */
#ifndef FAULTS
#define FAULTS 1
#endif
#ifdef RESTARTS                     /* one server that restarts; else three, one of which is promoted */
#define SERVERS 1
#define NO_WAIT_ON_HEARTBEAT
#define NO_WAIT_ON_APPEND
#else
#define SERVERS 3
#endif
#define EPOCHS (FAULTS + 2)
#define BOUND 1
#define WAIT 2
#define OVER 2
#define W 0                         /* the node that revokes */
#define D 1                         /* the node that follows, and checks */
#define NONE 0                      /* no header; no epoch known */

typedef Server {
  byte master;                      /* itself: a master */
  bit hasE;
  byte epoch;                       /* the header */
  bit isClosed;
  bit isSame;                       /* the header names this run of this server */
  bit listed[2];                    /* the registry; what follows holds for records of this epoch */
  bit here[2];
  bit reported[2];
  bit confirmed[2];
};
Server server[SERVERS];
byte latest;                        /* whom replicas turn to */
byte faults = FAULTS;
byte lastEpoch = 1;

mtype = { idle, sent, ran, replicated };
typedef Node {
  byte at;                          /* the server it talks to */
  byte epoch;                       /* the epoch it knows */
  bit reports;                      /* it has given back what that epoch lacked */
  bit isWatching;                   /* half the servers have confirmed a heartbeat of it in that epoch */
  bit knowsE;
  mtype call;
  bit claims, gaveE, gaveClosed;    /* the answer */
  byte gaveEpoch;
};
Node node[2];
byte lease = OVER, leaseSent = OVER, leaseEpoch;  /* of D */
byte closedFor = WAIT;              /* how long W has seen its epoch closed */
bit isClosedSeen = 1;
mtype append = idle;
byte appendEpoch;
bit isExpected, canCount, isAnswered, acknowledged, everywhere;
byte answered;
bit isExcused[EPOCHS];              /* closed without anybody who held E: promise 4 says so */

#define IS_MASTER(s) (server[s].master == s)
#ifdef NO_WAIT_ON_HEARTBEAT
#define BEAT_COUNTS(i) true
#else
#define BEAT_COUNTS(i) (node[i].call == replicated)
#endif
#ifdef NO_WAIT_ON_CLOSING
#define CLOSING_COUNTS(i) true
#else
#define CLOSING_COUNTS(i) BEAT_COUNTS(i)
#endif
#ifdef NO_WAIT_ON_APPEND
#define APPEND_COUNTS true
#else
#define APPEND_COUNTS (append == replicated)
#endif

inline Clear(s) {
  server[s].here[W] = 0; server[s].reported[W] = 0; server[s].confirmed[W] = 0;
  server[s].here[D] = 0; server[s].reported[D] = 0; server[s].confirmed[D] = 0
}

/* Calls that run on a server which goes away get no confirmation any more. */
inline Cut(s) {
  if
  :: node[W].at == s && node[W].call != idle -> node[W].call = idle
  :: else
  fi;
  if
  :: node[D].at == s && node[D].call != idle -> node[D].call = idle; leaseSent = OVER
  :: else
  fi;
  if
  :: node[W].at == s && append != idle -> append = idle; isExpected = 0; appendEpoch = 0
  :: else
  fi
}

inline Replicate(m, r) {
  server[r].hasE = server[m].hasE; server[r].epoch = server[m].epoch; server[r].isClosed = server[m].isClosed;
  server[r].listed[W] = server[m].listed[W]; server[r].listed[D] = server[m].listed[D];
  server[r].here[W] = server[m].here[W]; server[r].here[D] = server[m].here[D];
  server[r].reported[W] = server[m].reported[W]; server[r].reported[D] = server[m].reported[D];
  server[r].confirmed[W] = server[m].confirmed[W]; server[r].confirmed[D] = server[m].confirmed[D];
  if
  :: node[W].at == m && node[W].call == ran -> node[W].call = replicated
  :: else
  fi;
  if
  :: node[D].at == m && node[D].call == ran -> node[D].call = replicated
  :: else
  fi;
  if
  :: node[W].at == m && append == ran -> append = replicated
  :: else
  fi
}

inline Age(timer, limit) {
  if
  :: timer < limit -> timer++
  :: else
  fi
}

proctype World(byte s) {
  byte m;
end:
  do
#ifdef RESTARTS
  :: d_step { faults > 0 -> faults--; server[s].isSame = 0; Cut(s) }          /* with all its data */
  :: d_step { faults > 0 && server[s].hasE ->                                /* with an older part */
       faults--; server[s].isSame = 0; server[s].hasE = 0; Cut(s) }
  :: d_step { faults > 0 ->                                                  /* with none */
       faults--; server[s].isSame = 0; server[s].hasE = 0; server[s].epoch = NONE; server[s].isClosed = 0;
       Clear(s); server[s].listed[W] = 0; server[s].listed[D] = 0; Cut(s) }
#else
  :: d_step { server[s].master != s && IS_MASTER(server[s].master) ->
       m = server[s].master; Replicate(m, s); m = 0 }
  :: d_step { s == 1 && faults > 0 ->                                        /* promoted, lags or not */
       server[s].master = s; server[s].isSame = 0; latest = s; faults-- }
  :: d_step { server[s].master != latest && latest != s ->                   /* turns to the new master */
       server[s].master = latest; server[s].isSame = 0; Cut(s) }
#endif
  od
}

active proctype Clock() {
end:
  do
  :: d_step {
       true;
       Age(lease, OVER); Age(leaseSent, OVER);
       if
       :: isClosedSeen -> Age(closedFor, WAIT)
       :: else
       fi;
       if
       :: isAnswered && !everywhere -> Age(answered, WAIT)
       :: else
       fi
     }
  od
}

/* heartbeat.lua. The other node is 1 - i. */
inline Heartbeat(i, s) {
  if
  :: server[s].epoch == NONE || !server[s].isSame ->
     lastEpoch++;
     server[s].epoch = lastEpoch; server[s].isClosed = 0; server[s].isSame = 1; Clear(s)
  :: else
  fi;
  server[s].listed[i] = 1; server[s].here[i] = 1;
  server[s].confirmed[i] = server[s].confirmed[i] || (node[i].claims && server[s].hasE);
  if
  :: node[i].reports && node[i].epoch == server[s].epoch -> server[s].reported[i] = 1
  :: else
  fi;
  if
#ifdef CLOSE_WITHOUT_REPORTS
  :: !server[s].isClosed && server[s].reported[i] ->
#else
  :: !server[s].isClosed && server[s].reported[i] &&
     (!server[s].listed[1 - i] || (server[s].here[1 - i] && server[s].reported[1 - i])) ->
#endif
     server[s].isClosed = 1;
     /* Nothing acknowledged is lost when somebody who holds it takes part. */
     if
     :: acknowledged && !server[s].hasE ->
        assert(!node[i].knowsE && !(server[s].listed[1 - i] && server[s].here[1 - i] && node[1 - i].knowsE));
        isExcused[server[s].epoch] = 1
     :: else
     fi
  :: else
  fi;
  node[i].gaveE = server[s].hasE; node[i].gaveEpoch = server[s].epoch; node[i].gaveClosed = server[s].isClosed;
  node[i].call = ran
}

inline Answer(i) {
  if
  :: node[i].gaveEpoch != node[i].epoch ->
     node[i].epoch = node[i].gaveEpoch; node[i].reports = 0; node[i].isWatching = 0;
     if
     :: i == W -> isClosedSeen = 0; closedFor = 0
     :: else
     fi
  :: else
  fi;
  if
  :: CLOSING_COUNTS(i) -> node[i].isWatching = 1
  :: else
  fi;
  if
  :: i == W && node[i].gaveClosed && CLOSING_COUNTS(i) -> isClosedSeen = 1
  :: else
  fi;
  if
  :: node[i].knowsE && !node[i].gaveE -> node[i].reports = 0        /* must be given back first */
  :: else ->
     node[i].knowsE = node[i].gaveE;
     if
     :: CLOSING_COUNTS(i) -> node[i].reports = 1
     :: else
     fi;
     if
#ifdef LEASE_DURING_RECOVERY
     :: i == D && BEAT_COUNTS(i) -> lease = leaseSent; leaseEpoch = node[i].gaveEpoch
#else
     :: i == D && BEAT_COUNTS(i) && node[i].gaveClosed -> lease = leaseSent; leaseEpoch = node[i].gaveEpoch
#endif
     :: else
     fi
  fi
}

inline EndCall(i) {
  node[i].call = idle; node[i].claims = 0; node[i].gaveE = 0; node[i].gaveClosed = 0; node[i].gaveEpoch = 0;
  if
  :: i == D -> leaseSent = OVER
  :: else
  fi
}

/* Gives E back, in the epoch it knows; that a half of the servers has it, its next heartbeat shows. */
inline GiveBack(i, s) {
#ifdef NO_EPOCH_IN_SCRIPTS
  server[s].hasE = 1
#else
  if
  :: server[s].epoch == node[i].epoch && server[s].isSame -> server[s].hasE = 1
  :: else
  fi
#endif
}

proctype Feed(byte i) {
  byte s;
end:
  do
  :: d_step { i == D && node[i].call == idle ->
       node[i].call = sent; node[i].claims = node[i].knowsE; leaseSent = 0 }
  :: d_step { (node[i].call == sent || (i == W && node[i].call == idle)) && IS_MASTER(node[i].at) -> s = node[i].at; Heartbeat(i, s); s = 0 }
  :: d_step { node[i].call == ran || node[i].call == replicated -> Answer(i); EndCall(i) }
  :: d_step { node[i].call != idle -> EndCall(i) }                  /* lost */
  :: d_step { node[i].knowsE && !server[node[i].at].hasE && IS_MASTER(node[i].at) && node[i].epoch != NONE ->
       s = node[i].at; GiveBack(i, s); s = 0 }
  :: d_step { node[i].isWatching && IS_MASTER(node[i].at) && server[node[i].at].isSame &&
       server[node[i].at].epoch == node[i].epoch && server[node[i].at].listed[1 - i] &&
       /* silent for five bounds there, so what it read there is over */
       (i == D || ((leaseEpoch != node[W].epoch || lease == OVER) &&
       (node[D].gaveEpoch != node[W].epoch || leaseSent == OVER))) ->
       s = node[i].at; server[s].listed[1 - i] = 0; server[s].here[1 - i] = 0;
       server[s].reported[1 - i] = 0; server[s].confirmed[1 - i] = 0; s = 0 }   /* gives the other one up */
#ifndef RESTARTS
  :: d_step { node[i].call == idle && (i == D || append == idle) && IS_MASTER(1 - node[i].at) ->
       node[i].at = 1 - node[i].at }
#endif
  od
}

/* append.lua, and what follows it. */
inline Append(s) {
  if
#ifdef NO_EPOCH_IN_SCRIPTS
  :: true ->
#else
#ifdef APPEND_CREATES_HEADER
  :: server[s].epoch == NONE || (server[s].epoch == appendEpoch && server[s].isSame) ->
     if
     :: server[s].epoch == NONE ->
        server[s].epoch = appendEpoch; server[s].isClosed = 1; server[s].isSame = 1
     :: else
     fi;
#else
  :: server[s].epoch == appendEpoch && server[s].isSame ->
#endif
#endif
     server[s].hasE = 1;
     isExpected = server[s].listed[D] && server[s].here[D];
     append = ran
  :: else -> append = idle; appendEpoch = 0
  fi
}

active proctype Writer() {
  byte s;
  bit isAgain;
  do
  :: d_step { append == idle && node[W].epoch != NONE -> append = sent; appendEpoch = node[W].epoch }
  :: d_step { append == sent && IS_MASTER(node[W].at) -> s = node[W].at; Append(s); s = 0 }
  :: d_step { append != idle -> append = idle; appendEpoch = 0; isExpected = 0 }      /* lost */
  :: atomic { (append == ran || append == replicated) && APPEND_COUNTS ->
#ifdef EPOCH_BEFORE_NOTE
       isAgain = node[W].epoch != appendEpoch };
     node[W].knowsE = node[W].knowsE || !isAgain;
#else
       node[W].knowsE = 1 };
     isAgain = node[W].epoch != appendEpoch;
#endif
     if
     :: d_step { isAgain -> isAgain = 0; append = idle; appendEpoch = 0; isExpected = 0 }
     :: !isAgain -> break
     fi
  od;
  true;
  d_step {
    acknowledged = 1; isAnswered = 1; append = idle;
#ifdef COUNTS_IN_A_NEW_EPOCH
    canCount = node[W].epoch == appendEpoch
#else
    canCount = node[W].epoch == appendEpoch && isClosedSeen && closedFor == WAIT
#endif
  }
  if
  :: answered == WAIT
  :: canCount && node[W].epoch == appendEpoch && (!isExpected ||
       (server[node[W].at].epoch == appendEpoch && server[node[W].at].confirmed[D]))
  fi;
  d_step { everywhere = 1; answered = 0; canCount = 0; isExpected = 0; appendEpoch = 0; isClosedSeen = 0;
    closedFor = 0 }
}

active proctype Check() {
end:
  do
  :: atomic { everywhere && lease <= BOUND && !node[D].knowsE -> assert(isExcused[leaseEpoch]); break }
  od
}

init {
  byte s;
  atomic {
    do
    :: s < SERVERS ->
       server[s].epoch = 1; server[s].isClosed = 1;
       server[s].listed[W] = 1; server[s].listed[D] = 1; server[s].here[W] = 1; server[s].here[D] = 1;
       server[s].reported[W] = 1; server[s].reported[D] = 1;
       run World(s);
       s++
    :: else -> break
    od;
    server[0].isSame = 1;
    node[W].epoch = 1; node[D].epoch = 1; node[W].reports = 1; node[D].reports = 1;
    node[W].isWatching = 1; node[D].isWatching = 1; node[W].call = idle; node[D].call = idle;
    run Feed(W); run Feed(D)
  }
}
