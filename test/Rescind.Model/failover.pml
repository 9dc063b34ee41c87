/*
 * Three servers, one of them the master: replicas that lag, any of them promoted, an old master that goes on, a
 * server that comes back empty; epochs that end with a promotion, and answers that count when half the servers
 * (rounded down) confirmed them.
 *
 * Process 0 revokes: entry E. Process 1 asks for leases. Either may speak to any server that takes itself for the
 * master, stand still between any two steps for any time, and lose any call or answer. FAULTS times a replica is
 * promoted; or the search begins where a server has come back empty (BEGINS_EMPTY).
 *
 * What is taken for granted: a replica that has followed a newer master follows no older one again; a master that
 * was demoted breaks off the waiting calls; who has seen replicas remembers that there are some. For what
 * happens otherwise see the defines and README.md. How entries are given back is in recovery.pml; here a process
 * that knows E puts it back into a log that lacks it, and reports only in one that has it.
 *
 * A reign is one server being master once: what run_id and replication id tell apart. An epoch is named by the
 * reign in which it was opened.
 */
#ifndef FAULTS
#define FAULTS 1
#endif
#define SERVERS 3
#ifdef BEGINS_EMPTY
#define REIGNS 3
#else
#define REIGNS (FAULTS + 1)
#endif
#define NONE REIGNS
#ifndef BOUND
#define BOUND 1                     /* the freshness bound, in ticks */
#endif
#define OVER (BOUND + 1)            /* more than a bound; also the writer's wait of one and a quarter */
#define TWO (2 * BOUND)             /* what a recovery gives others to come forward */

#define UNLISTED 0
#define LISTED 1                    /* in an epoch before */
#define REGISTERED 1                /* which is as good, until it has reported */
#define REPORTED 2

typedef Server {
  byte follows;                     /* itself: it is a master */
  byte reign;
  bit hasE;                         /* from here on: what is replicated */
  byte epoch;
  bit isClosed;
  bit hasReplicas;                  /* it knows that there are others, so somebody must confirm */
  byte record[2];
};
Server server[SERVERS];
byte latest;                        /* the master that was made last */
byte reigns;
byte ruler[REIGNS];             /* the server of each reign */
byte faults;

typedef Process {
  byte known;                       /* the epoch that it knows */
  byte reportedIn;                  /* the epoch in which it has seen all that it knows */
  byte watched;                     /* the time since the first confirmed answer in it; 0: none */
  bit knowsReplicas;
};
Process process[2];
byte lease, sent;                   /* of process 1 */
byte at;                            /* the server that its heartbeat was run on; SERVERS: none waits there */
bit isConfirmed;                    /* by a replica */
byte gone;                          /* the time since a heartbeat of process 0 was confirmed */

byte appendedAt;                    /* the server that the append was run on; SERVERS: none is under way */
byte appendedIn;
bit isOnReplica;
bit wasAppended, isAcked;
byte answered;                      /* the time since */
bit everywhere;
byte excused;                       /* epochs that were closed without E while nobody who held it was there */
bit isExcused;                      /* it got a lease in one */
bit isKnown;                        /* process 1 knows E, and will never accept again */
#define IS_OVER (isExcused || isKnown)

#define IS_MASTER(s) (server[s].follows == s)
#define ACCEPTS (!isKnown && lease <= BOUND)
#ifdef RUN_ID_ONLY
#define IS_SAME_HISTORY(s) (server[s].epoch != NONE && ruler[server[s].epoch] == s)
#else
#define IS_SAME_HISTORY(s) (server[s].epoch == server[s].reign)
#endif
#define FOLLOWERS(s) ((server[0].follows == s) + (server[1].follows == s) + (server[2].follows == s) - 1)
#define HOLDS(i) (i == 0 && wasAppended)

inline Age(timer, limit) {
  if
  :: timer < limit -> timer++
  :: else
  fi
}

inline Receive() {
  everywhere = 1; answered = 0;
  assert(isExcused || !ACCEPTS)     /* promise 1 */
}

/* What a replica holds counts while it may still be promoted. */
inline Drop(s) {
  if
  :: faults == FAULTS && !IS_MASTER(s) ->
     server[s].reign = 0; server[s].hasE = 0; server[s].epoch = 0; server[s].isClosed = 0; server[s].hasReplicas = 0;
     server[s].record[0] = UNLISTED; server[s].record[1] = UNLISTED
  :: else
  fi
}

inline Copy(from, to) {
  server[to].hasE = server[from].hasE; server[to].epoch = server[from].epoch;
  server[to].isClosed = server[from].isClosed; server[to].hasReplicas = server[from].hasReplicas;
  server[to].record[0] = server[from].record[0]; server[to].record[1] = server[from].record[1];
  Drop(to)
}

#define DIFFER(a, b) (server[a].hasE != server[b].hasE || server[a].epoch != server[b].epoch \
  || server[a].isClosed != server[b].isClosed || server[a].hasReplicas != server[b].hasReplicas \
  || server[a].record[0] != server[b].record[0] || server[a].record[1] != server[b].record[1])
#define IS_AWAITED(s) ((at == s && !isConfirmed) || (appendedAt == s && !isOnReplica))

/* A replica catches up with its master, and confirms what calls there wait for. */
inline Replicate(r, m) {
  server[r].follows == m && ((faults < FAULTS && DIFFER(r, m)) || IS_AWAITED(m)) ->
  Copy(m, r);
  isConfirmed = isConfirmed || at == m;
  isOnReplica = isOnReplica || appendedAt == m
}

/* Calls that wait there get no confirmation. */
inline BreakOff(s) {
  if
  :: at == s && !isConfirmed -> at = SERVERS
  :: else
  fi;
  if
  :: appendedAt == s && !isOnReplica -> appendedAt = SERVERS
  :: else
  fi
}

/* A server follows the newest master. */
inline Follow(s) {
  latest != s && server[s].follows != latest ->
  if
  :: IS_MASTER(s) -> BreakOff(s)
  :: else
  fi;
  server[s].follows = latest; server[s].reign = 0;
  Drop(s)
}

inline Promote(s) {
  faults < FAULTS && !IS_MASTER(s) && (faults > 0 || s == 1) ->        /* 1 and 2 begin alike */
  faults++; reigns++;
  server[s].follows = s; server[s].reign = reigns; ruler[reigns] = s;
  latest = s;
  Drop(0); Drop(1); Drop(2)
}

proctype World() {
  do
  :: IS_OVER                        /* nothing more is asked; everything comes to rest */
  :: d_step { !IS_OVER ->
       Age(lease, OVER); Age(sent, OVER);
       if
       :: wasAppended -> Age(gone, TWO)
       :: else
       fi;
       if
       :: process[0].watched != 0 -> Age(process[0].watched, TWO + 1)
       :: else
       fi;
       if
       :: process[1].watched != 0 -> Age(process[1].watched, TWO + 1)
       :: else
       fi;
       if
       :: isAcked && !everywhere ->
          answered++;
          if
          :: answered == OVER -> Receive()
          :: else
          fi
       :: else
       fi
     }
  :: d_step { Replicate(0, 1) }
  :: d_step { Replicate(0, 2) }
  :: d_step { Replicate(1, 0) }
  :: d_step { Replicate(1, 2) }
  :: d_step { Replicate(2, 0) }
  :: d_step { Replicate(2, 1) }
  :: d_step { Follow(0) }
  :: d_step { Follow(1) }
  :: d_step { Follow(2) }
  :: d_step { Promote(0) }
  :: d_step { Promote(1) }
  :: d_step { Promote(2) }
  od
}

#define HAVE_REPORTED(s) ((server[s].record[0] == UNLISTED || server[s].record[0] == REPORTED) \
  && (server[s].record[1] == UNLISTED || server[s].record[1] == REPORTED))

/* The script of a heartbeat, from opening an epoch to closing it. */
inline Heartbeat(i, s) {
  if
  :: !IS_SAME_HISTORY(s) ->
     server[s].epoch = server[s].reign; server[s].isClosed = 0;
     if
     :: server[s].record[0] != UNLISTED -> server[s].record[0] = LISTED
     :: else
     fi;
     if
     :: server[s].record[1] != UNLISTED -> server[s].record[1] = LISTED
     :: else
     fi
  :: else
  fi;
  server[s].hasReplicas = server[s].hasReplicas || FOLLOWERS(s) > 0;
#ifndef FORGET_SERVERS
  if
  :: process[i].known != server[s].epoch -> server[s].hasReplicas = server[s].hasReplicas || process[i].knowsReplicas
  :: else
  fi;
#endif
  if
  :: process[i].known == server[s].epoch && process[i].reportedIn == server[s].epoch -> server[s].record[i] = REPORTED
  :: else -> server[s].record[i] = (server[s].record[i] == REPORTED -> REPORTED : REGISTERED)
  fi;
  if
  :: !server[s].isClosed && process[i].known == server[s].epoch && process[i].watched > TWO && HAVE_REPORTED(s) ->
     server[s].isClosed = 1;
     if
     :: wasAppended && !server[s].hasE && server[s].record[0] != REPORTED && gone == TWO ->
        excused = excused | (1 << server[s].epoch)
     :: else
     fi
  :: else
  fi;
  epoch = server[s].epoch; isClosed = server[s].isClosed; hasE = server[s].hasE; hasReplicas = server[s].hasReplicas
}

/* The answer, and whether it counts. */
inline Answer(i, counts) {
#ifdef NO_WAIT
  isReplicated = 1;
#else
  isReplicated = !hasReplicas || counts;
#endif
  if
  :: process[i].known != epoch ->
     process[i].known = epoch; process[i].watched = 0
  :: else
  fi;
  process[i].knowsReplicas = process[i].knowsReplicas || hasReplicas;
  if
  :: isClosed -> process[i].watched = 0
#ifdef CLOSING_WITHOUT_WAIT
  :: !isClosed && process[i].watched == 0 -> process[i].watched = 1
#else
  :: !isClosed && process[i].watched == 0 && isReplicated -> process[i].watched = 1
#endif
  :: else
  fi;
  if
#ifdef REPORT_WITHOUT_WAIT
  :: hasE || !HOLDS(i) -> process[i].reportedIn = epoch
#else
  :: isReplicated && (hasE || !HOLDS(i)) -> process[i].reportedIn = epoch
#endif
  :: else
  fi
}

inline Rest() {
  epoch = NONE; isClosed = 0; hasE = 0; hasReplicas = 0; isReplicated = 0
}

/* A heartbeat of the writer, at once; r is the replica that confirms it, or the server itself: none does. */
inline WriterBeats(s, r) {
  !IS_OVER && IS_MASTER(s) && server[r].follows == s ->
  Heartbeat(0, s);
  if
  :: r != s -> Copy(s, r); isConfirmed = isConfirmed || at == s; isOnReplica = isOnReplica || appendedAt == s
  :: else
  fi;
  Answer(0, r != s);
  if
  :: isReplicated -> gone = 0
  :: else
  fi;
  Rest()
}

/* It puts E back where it is missing, before it reports there. */
inline GiveBack(s) {
  !IS_OVER && wasAppended && IS_MASTER(s) && IS_SAME_HISTORY(s) && server[s].epoch == process[0].known && !server[s].hasE ->
  server[s].hasE = 1
}

proctype Write() {
  byte epoch = NONE;
  bit isClosed, hasE, hasReplicas, isReplicated;
end:
  do
  :: d_step { WriterBeats(0, 0) }
  :: d_step { WriterBeats(0, 1) }
  :: d_step { WriterBeats(0, 2) }
  :: d_step { WriterBeats(1, 0) }
  :: d_step { WriterBeats(1, 1) }
  :: d_step { WriterBeats(1, 2) }
  :: d_step { WriterBeats(2, 0) }
  :: d_step { WriterBeats(2, 1) }
  :: d_step { WriterBeats(2, 2) }
  :: d_step { GiveBack(0) }
  :: d_step { GiveBack(1) }
  :: d_step { GiveBack(2) }
  od
}

#define MAY_BEAT(s) (!IS_OVER && isSent && IS_MASTER(s))

proctype Read() {
  byte epoch = NONE;
  bit isClosed, hasE, hasReplicas, isReplicated, isSent;
end:
  do
  :: d_step { !IS_OVER -> isSent = 1; sent = 0 };
     if
     :: d_step { MAY_BEAT(0) -> Heartbeat(1, 0); at = 0; isConfirmed = 0 }
     :: d_step { MAY_BEAT(1) -> Heartbeat(1, 1); at = 1; isConfirmed = 0 }
     :: d_step { MAY_BEAT(2) -> Heartbeat(1, 2); at = 2; isConfirmed = 0 }
     fi;
     if
     :: d_step { at != SERVERS ->
          Answer(1, isConfirmed);
          if
          :: hasE -> isKnown = 1
#ifdef LEASE_IN_RECOVERY
          :: !hasE && isReplicated ->
#else
          :: !hasE && isClosed && isReplicated ->
#endif
             lease = sent;
             isExcused = isExcused || (ACCEPTS && (excused & (1 << epoch)));
             assert(isExcused || !(everywhere && ACCEPTS))      /* promise 1 */
          :: else
          fi;
          at = SERVERS; isConfirmed = 0; sent = OVER; isSent = 0;
          Rest()
        }
     :: d_step { at = SERVERS; isConfirmed = 0; sent = OVER; isSent = 0; Rest() }       /* it is lost */
     fi
  od
}

#ifdef FOREIGN_EPOCH
#define MAY_APPEND(s) (IS_MASTER(s) && appendedAt == SERVERS && !isAcked && !IS_OVER && server[s].epoch != NONE)
#else
#define MAY_APPEND(s) (IS_MASTER(s) && appendedAt == SERVERS && !isAcked && !IS_OVER && IS_SAME_HISTORY(s) \
  && server[s].epoch == process[0].known)
#endif

inline Append(s) {
  server[s].hasE = 1; wasAppended = 1;
  appendedAt = s; isOnReplica = 0; appendedIn = process[0].known
}

proctype Revoke() {
  do
  :: d_step { MAY_APPEND(0) -> Append(0) }
  :: d_step { MAY_APPEND(1) -> Append(1) }
  :: d_step { MAY_APPEND(2) -> Append(2) }
#ifdef NO_WAIT
  :: d_step { appendedAt != SERVERS && !isAcked ->
#else
  :: d_step { appendedAt != SERVERS && !isAcked && (isOnReplica || !process[0].knowsReplicas) ->
#endif
       appendedAt = SERVERS; isOnReplica = 0;
       if
       :: process[0].known == appendedIn -> isAcked = 1; appendedIn = NONE
       :: else
       fi
     }
  :: d_step { appendedAt != SERVERS && !isAcked -> appendedAt = SERVERS; isOnReplica = 0 }    /* no answer */
  :: isAcked -> break
  od
}

init {
  byte i;
  atomic {
    do
    :: i < SERVERS -> server[i].hasReplicas = 1; i++
    :: else -> break
    od;
    server[0].record[0] = REPORTED; /* the replicas lag already */
    appendedAt = SERVERS; appendedIn = NONE;
    i = 0;
    do
    :: i < 2 ->
       process[i].known = NONE; process[i].reportedIn = NONE; 
#ifdef NEWCOMER
       process[i].knowsReplicas = i == 0;
#else
       process[i].knowsReplicas = 1;
#endif
       i++
    :: else -> break
    od;
    i = 0;
    server[0].isClosed = 1; server[1].isClosed = 1; server[2].isClosed = 1;
#ifdef BEGINS_EMPTY                 /* the first master was restarted without its file, after 1 was promoted */
    server[1].follows = 1; server[2].follows = 1; latest = 1; faults = FAULTS;
    reigns = 2; server[1].reign = 2; ruler[2] = 1;
    server[0].reign = 1; server[0].epoch = NONE; server[0].isClosed = 0; server[0].hasReplicas = 0;
    server[0].record[0] = UNLISTED;
    Drop(2);
#endif
    lease = OVER; sent = OVER; at = SERVERS;
    run World(); run Revoke(); run Write(); run Read()
  }
}
