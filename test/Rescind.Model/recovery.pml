/*
 * One server that loses what it held, and the recovery that gives it back: epochs, the registry, reports, the two
 * bounds, positions that name a history, what is applied ahead of reads, newcomers, giving up, the journal.
 *
 * Process 0 revokes: entry E. The others read; each may join at any time. Every process may stand still between
 * any two of its steps for any time, and every call and answer may be lost. The server is flushed, loses its
 * stream, or comes back with all, nothing, or an old copy, LOSSES times, also in the middle of a recovery.
 *
 * An instance of E is named by the epoch in which it was appended: two in one epoch are lost together or differ in
 * nothing that anybody asks. Entry 1 is older; whoever stands there has seen no E.
 *
 * A define named after a mistake makes it; without one the protocol is right. See README.md.
 */
#ifndef PROCS
#define PROCS 2
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef BOUND
#define BOUND 1                     /* the freshness bound, in ticks */
#endif
#define OVER (BOUND + 1)            /* more than a bound; also the writer's wait of one and a quarter */
#define TWO (2 * BOUND)             /* what a recovery gives others to come forward */
#define GIVEN_UP TWO                /* the product waits for five bounds */

#ifdef ONE_BOUND
#define LEAST BOUND
#elif defined(CLOSE_AT_ONCE)
#define LEAST 0
#else
#define LEAST TWO
#endif
#ifdef WITH_SUCCESSOR
#define SUCCESSOR (PROCS - 1)       /* process 0 after a crash, with what its disk kept */
#endif

#define OLD 1
#define ID(epoch) ((epoch) + OLD)
#define BIT(id) (1 << (id))
#define HAS_E(some) ((some) > BIT(OLD))
#define LAST(some) ((some) >= 16 -> 4 : ((some) >= 8 -> 3 : ((some) >= 4 -> 2 : ((some) >= 2 -> 1 : 0))))

/* The server: the stream, the header, the registry. A header of another run, or that names another last entry, is
   as good as none: the next heartbeat opens an epoch, and nothing in it but the list of processes is looked at. */
typedef Record {
  bit listed;
  bit isOfThis;                     /* its record was written in the header's epoch; the rest holds only then */
  bit hasReadTail, hasReported;
};
typedef Server {
  byte entries;                     /* a bit for each instance */
  bit hasHeader;
  byte epoch;
  bit isClosed;
  Record record[PROCS];
};
Server now_;
byte epochs;                        /* how many were opened */
byte losses;
bit wasAnnounced[LOSSES + 2];       /* by the epoch of the append */
byte before[LOSSES + 2];            /* the entry in front of it then */

/* A process. */
typedef Process {
  bit isAlive;
  bit knowsE;                       /* its index */
  byte position;                    /* everything up to here is applied */
  byte known;                       /* the epoch that it knows */
  byte watched;                     /* the time since it saw that first */
  byte reportedIn;
  byte lease;                       /* its age */
  byte sent;                        /* the time since the read under way was sent */
  byte gone;                        /* the time since a heartbeat of it counted up in the registry */
  byte ahead, own;                  /* applied and not read yet; what of that it appended itself */
  byte link;                        /* announced, next to its position when it was */
  bit isLost;                       /* its position is not found, or something is missing: reads all over */
  bit owes;                         /* own appends to repeat before the next read */
  bit owesDisk;                     /* its disk kept E, and no read has brought it */
  bit isStuck;
  bit hasConfirmed;                 /* the server was told by it, once, that it has applied E */
};
Process process[PROCS];

/* The writer's append. */
bit wasAppended;                    /* the script ran */
bit isAcked;                        /* E's append was answered: stored */
byte answered;                      /* the time since */
bit everywhere;                     /* the receipt: by count, or by time */
byte appendedIn;
byte closedFor;                     /* the time since the writer saw its epoch closed; 0: it has not */
bit isExpected[3], counts[3];
bit isCountable;
bit isExcused;                      /* a recovery closed without anybody who held E; the promise ends there */

#define ACCEPTS(i) (!process[i].knowsE && process[i].lease <= BOUND)
#define HAS_CONFIRMED(i) (i >= PROCS || !isExpected[i] || counts[i])
#define HOLDS(i) (process[i].isAlive && ((i == 0 && isAcked) || process[i].hasConfirmed || IS_ITS_DISK(i)))
#ifdef WITH_SUCCESSOR
#define IS_ITS_DISK(i) (i == SUCCESSOR && isAcked)
#else
#define IS_ITS_DISK(i) 0
#endif

inline Age(timer, limit) {
  if
  :: timer < limit -> timer++
  :: else
  fi
}

/* The receipt `everywhere`; how it came about is of no more interest. */
inline Receive() {
  everywhere = 1; answered = 0; appendedIn = 0; isCountable = 0;
  p = 0;
  do
  :: p < PROCS -> isExpected[p] = 0; counts[p] = 0; p++
  :: else -> break
  od;
  p = 0
}

inline Promise1() {
  if
  :: everywhere && !isExcused ->
     p = 0;
     do
     :: p < PROCS -> assert(!ACCEPTS(p)); p++
     :: else -> break
     od;
     p = 0
  :: else
  fi
}

inline Unlist(i) {
  now_.record[i].listed = 0; now_.record[i].isOfThis = 0; now_.record[i].hasReadTail = 0; now_.record[i].hasReported = 0
}

/* Comes back with an older file: some first entries of the stream, and a list of processes of any time. */
inline RollBack() {
  if
  :: true
  :: HAS_E(now_.entries) -> now_.entries = now_.entries & BIT(OLD)
#if LOSSES > 1
  :: LAST(now_.entries) > 2 -> now_.entries = now_.entries & ~BIT(LAST(now_.entries))
#endif
  fi;
  if
  :: true
  :: Unlist(0)
  fi;
  if
  :: true
  :: Unlist(1)
  fi;
#if PROCS > 2
  if
  :: true
  :: Unlist(2)
  fi;
#endif
#ifndef NO_RUN
  now_.hasHeader = 0;
#endif
  skip
}

/* What anybody knew of the epoch before is of no more use. */
inline Lose() {
  losses++;
  p = 0;
  do
  :: p < PROCS ->
     process[p].watched = 0; process[p].gone = 0; process[p].reportedIn = 0;
#ifndef WITH_PUSH
     process[p].known = 0;
#endif
     if
     :: !now_.hasHeader ->
        now_.record[p].isOfThis = 0; now_.record[p].hasReadTail = 0; now_.record[p].hasReported = 0
     :: else
     fi;
     p++
  :: else -> break
  od;
  p = 0;
  if
  :: !now_.hasHeader -> now_.epoch = 0; now_.isClosed = 0
  :: else
  fi
}

inline Flush() {
  now_.entries = 0; now_.hasHeader = 0;
  p = 0;
  do
  :: p < PROCS -> now_.record[p].listed = 0; p++
  :: else -> break
  od;
  p = 0
}

/* Nobody whom the others have seen beat within so long is given up; a beat in between is noticed by comparison. */
inline GiveUp(i) {
  now_.hasHeader && !now_.isClosed && now_.record[i].listed && process[i].gone == GIVEN_UP -> Unlist(i)
}

/* Whoever knows E accepts no more; its lease is of no interest. */
inline Learn(i) {
  process[i].knowsE = 1; process[i].lease = OVER; process[i].sent = OVER
}

inline Announce(i) {
  process[i].isAlive && process[i].known != 0 && wasAnnounced[process[i].known] &&
  !(process[i].ahead & BIT(ID(process[i].known))) && process[i].position < ID(process[i].known) ->
  Learn(i);
  process[i].ahead = process[i].ahead | BIT(ID(process[i].known));
  process[i].link = process[i].known
}

proctype World() {
  byte p;
  do
  :: isExcused                      /* nothing more is asked; everything comes to rest */
  :: d_step { !isExcused ->
       p = 0;
       do
       :: p < PROCS ->
          Age(process[p].lease, OVER); Age(process[p].sent, OVER);
          if
          :: now_.hasHeader && !now_.isClosed ->
             Age(process[p].gone, GIVEN_UP);
             if
             :: process[p].known == now_.epoch -> Age(process[p].watched, TWO)
             :: else
             fi
          :: else
          fi;
          p++
       :: else -> break
       od;
       p = 0;
       if
       :: isAcked && !everywhere ->
          answered++;
          if
          :: answered == OVER -> Receive()
          :: else
          fi
       :: else
       fi;
       if
       :: closedFor != 0 -> Age(closedFor, OVER + 1)
       :: else
       fi;
       Promise1()
     }
  :: d_step { losses < LOSSES -> Flush(); Lose() }
  :: d_step { losses < LOSSES && now_.entries != 0 -> now_.entries = 0; now_.hasHeader = 0; Lose() }
  :: atomic { losses < LOSSES -> RollBack(); d_step { Lose() } }
  :: d_step { GiveUp(0) }
  :: d_step { GiveUp(1) }
#if PROCS > 2
  :: d_step { GiveUp(2) }
#endif
#ifdef WITH_PUSH
  :: d_step { Announce(1) }
#endif
#ifdef WITH_SUCCESSOR
  :: d_step { process[0].isAlive && isAcked && !process[SUCCESSOR].isAlive ->
       process[0].isAlive = 0; process[0].lease = OVER;
       process[SUCCESSOR].isAlive = 1;
       process[SUCCESSOR].knowsE = 1;
       if
       :: process[0].position > OLD && process[0].own == 0 ->
          process[SUCCESSOR].position = process[0].position
       :: else -> process[SUCCESSOR].position = OLD; process[SUCCESSOR].owesDisk = 1
       fi
     }
#endif
  od
}

/* The script of a heartbeat, from opening an epoch to closing it. */
inline Heartbeat(i) {
  if
  :: !now_.hasHeader -> epochs++; now_.hasHeader = 1; now_.epoch = epochs; now_.isClosed = 0
  :: else
  fi;
  isFound = (from == 0 || (now_.entries & BIT(from)));
  if
  :: isFound && from > OLD -> process[i].hasConfirmed = 1; counts[i] = counts[i] || from == ID(appendedIn)
  :: else
  fi;
  now_.record[i].listed = 1;
  now_.record[i].isOfThis = 1;
  now_.record[i].hasReadTail = !isAcked && (now_.record[i].hasReadTail || isFound);
  now_.record[i].hasReported = now_.record[i].hasReported || (knew == now_.epoch && says);
  if
  :: !process[i].isStuck -> process[i].gone = 0
  :: else
  fi;
  isAll = !now_.isClosed && knew == now_.epoch && process[i].watched >= LEAST;
  p = 0;
  do
  :: p < PROCS ->
     isAll = isAll && (!now_.record[p].listed || (now_.record[p].isOfThis && now_.record[p].hasReported));
     p++
  :: else -> break
  od;
  p = 0;
  if
  :: isAll ->
     now_.isClosed = 1;
     Promise4();
     p = 0;
     do
     :: p < PROCS -> process[p].watched = 0; process[p].gone = 0; p++
     :: else -> break
     od;
     p = 0
  :: else
  fi;
  entries = now_.entries; epoch = now_.epoch; isClosed = now_.isClosed; isAll = 0; from = 0; says = 0
}

/* A recovery closes without E only when nobody who holds it took part, and all who do stood still for two bounds. */
inline Promise4() {
  if
  :: wasAppended && !HAS_E(now_.entries) ->
     isExcused = isAcked || process[0].gone >= TWO;     /* or it stands still with the answer in its hands */
     p = 0;
     do
     :: p < PROCS ->
        assert(!HOLDS(p) || (!now_.record[p].hasReported && process[p].gone >= TWO));
        p++
     :: else -> break
     od;
     p = 0
  :: else
  fi
}

/* What an answer says of the epoch. */
inline Note(i) {
  if
  :: process[i].known == knew && knew != epoch ->                /* else a later answer has been here */
     process[i].known = epoch; process[i].watched = 0; process[i].reportedIn = 0;
     if
     :: i == 0 -> closedFor = 0
     :: else
     fi
  :: else
  fi;
  if
  :: i == 0 && isClosed && closedFor == 0 && !isAcked && process[i].known == epoch -> closedFor = 1
  :: else
  fi
}

#ifdef FOREIGN_EPOCH
#define CAN_APPEND(i) now_.hasHeader
#else
#define CAN_APPEND(i) (now_.hasHeader && process[i].known == now_.epoch)
#endif

/* An append of E, repeated until it was made in an epoch that is still the one known. What is refused writes
   nothing, and looks again. */
inline Append(i) {
  do
#ifdef APPEND_MAKES_HEADER
  :: d_step { !now_.hasHeader && !isMade ->
       epochs++; now_.hasHeader = 1; now_.epoch = epochs; now_.isClosed = 1; process[i].known = epochs
     }
#endif
  :: d_step { !CAN_APPEND(i) && !isMade && !isExcused ->
       knew = process[i].known; says = (process[i].reportedIn == knew);
       Heartbeat(i);
       Note(i);
       knew = 0; entries = 0; epoch = 0; isClosed = 0; isFound = 0
     }
  :: d_step { CAN_APPEND(i) && !isMade && !isExcused ->
       isMade = 1; wasIn = process[i].known;
#ifdef WITH_PUSH
       if
       :: !(now_.entries & BIT(ID(now_.epoch))) ->
          wasAnnounced[now_.epoch] = 1; before[now_.epoch] = LAST(now_.entries)
       :: else
       fi;
#endif
       now_.entries = now_.entries | BIT(ID(now_.epoch));
       if
       :: i == 0 && !isAcked ->
          wasAppended = 1;
          p = 1;
          do
          :: p < PROCS ->
             isExpected[p] = now_.record[p].listed && now_.record[p].isOfThis && now_.record[p].hasReadTail;
             p++
          :: else -> break
          od;
          p = 0
       :: else
       fi
     }
  :: d_step { isMade && process[i].known != wasIn -> Remember(i); isMade = 0; wasIn = 0 }
  :: atomic { isMade && process[i].known == wasIn -> d_step { Remember(i); isMade = 0 }; break }
  od
}

/* What was appended and answered is missed until a read brings it. */
inline Remember(i) {
  if
  :: process[i].position < ID(wasIn) || process[i].known != wasIn ->
     process[i].ahead = process[i].ahead | BIT(ID(wasIn));
     process[i].own = process[i].own | BIT(ID(wasIn))
  :: else
  fi
}

/* Takes in a read that found its position and misses nothing. */
inline Apply(i) {
  process[i].ahead = process[i].ahead & ~entries;
  process[i].own = process[i].own & ~entries;
  process[i].position = LAST(entries);
  process[i].isStuck = 0;
#ifdef REPORT_BEFORE_JOURNAL
  process[i].reportedIn = (process[i].known != epoch -> process[i].reportedIn : epoch);
#else
  process[i].reportedIn = (process[i].known != epoch || process[i].owesDisk -> process[i].reportedIn : epoch);
#endif
  if
#ifdef LEASE_IN_RECOVERY
  :: HAS_E(entries) -> Learn(i)
  :: !HAS_E(entries) && !wasStuck -> process[i].lease = process[i].sent
#else
  :: HAS_E(entries) -> Learn(i)
  :: !HAS_E(entries) && isClosed && !wasStuck -> process[i].lease = process[i].sent
#endif
  :: else
  fi
}

inline Rest(i) {
  process[i].sent = OVER; from = 0; knew = 0; says = 0; wasStuck = 0; wasIn = 0;
  entries = 0; epoch = 0; isClosed = 0; isFound = 0
}

inline ReadOver(i) {
  if
  :: HAS_E(entries) -> Learn(i)
  :: else
  fi;
  process[i].own = process[i].own & ~entries; process[i].ahead = process[i].ahead & ~entries
}

#define IS_INCOMPLETE(i) (process[i].ahead & ~entries & ~BIT(ID(epoch)))

inline Send(i) {
  knew = process[i].known; says = (process[i].reportedIn == knew);
  wasStuck = process[i].isStuck;
  if
  :: process[i].isLost -> from = 0; process[i].lease = OVER
#ifdef WITH_PUSH
  :: !process[i].isLost && process[i].link != 0 && before[process[i].link] == process[i].position ->
     from = ID(process[i].link); process[i].link = 0
#endif
  :: else -> from = process[i].position
  fi
}

#define MAY_SEND(i) (process[i].isAlive && !process[i].owes && !isExcused)
#define NEEDS_LEASE(i) (i != 0 && !process[i].knowsE)

/* Everything was read over and given back; what of that no read has brought is appended once more. */
inline Reconciled(i) {
  process[i].position = LAST(entries); process[i].isLost = 0;
  process[i].owes = process[i].own != 0; process[i].own = 0; process[i].ahead = 0; process[i].link = 0;
  Rest(i)
}

#ifdef REPORT_AT_ONCE
#define LACKS(i) 0
#else
#define LACKS(i) (process[i].knowsE && !HAS_E(entries))
#endif

inline Answer(i) {
  if
  :: d_step { Rest(i) }             /* none, or a reading breaks off */
  :: atomic { process[i].isAlive && process[i].isLost -> d_step { Note(i); ReadOver(i) };
       if
       :: LACKS(i) -> goto gives
       :: d_step { !LACKS(i) -> Reconciled(i) }
       fi
     }
  :: d_step { process[i].isAlive && !process[i].isLost && (!isFound || IS_INCOMPLETE(i)) ->
       Note(i);
#ifdef NO_RECONCILE
       process[i].position = LAST(entries); process[i].reportedIn = epoch; process[i].ahead = 0;
#else
       process[i].isLost = 1;
#endif
       Rest(i)
     }
#ifdef WITH_STUCK
  :: d_step { process[i].isAlive && !process[i].isLost && isFound && !IS_INCOMPLETE(i) ->
       Note(i);
       process[i].isStuck = 1;      /* it cannot read what the log holds */
#ifdef FORGET_UNREAD
       process[i].ahead = process[i].ahead & ~entries; process[i].own = process[i].own & ~entries;
#endif
       Rest(i)
     }
#endif
  :: d_step { process[i].isAlive && !process[i].isLost && isFound && !IS_INCOMPLETE(i) ->
       Note(i);
       Apply(i);
       Rest(i);
       Promise1()
     }
  fi
}

proctype Follow(byte i) {
  byte p, from, knew, entries, epoch, wasIn;
  bit says, isFound, isClosed, isAll, isMade, wasStuck, isSent;
end:
  do
  :: process[i].isAlive && process[i].owes && !isExcused ->
     Append(i);
     atomic { process[i].owes = 0; wasIn = 0 }
#ifdef WITH_SUCCESSOR
  :: process[i].isAlive && process[i].owesDisk && process[i].known != 0 && !isExcused ->
     Append(i);
     atomic { process[i].owesDisk = 0; wasIn = 0 }
#endif
  :: d_step { MAY_SEND(i) && NEEDS_LEASE(i) && !isSent -> isSent = 1; process[i].sent = 0 }
  :: atomic { MAY_SEND(i) && (isSent || !NEEDS_LEASE(i)) ->
       d_step { Send(i); Heartbeat(i); isSent = 0 };
       Answer(i)
     }
  :: false ->
gives:
     Append(i);
     atomic { Reconciled(i) }
  od
}

proctype Revoke() {
  byte p, from, knew, entries, epoch, wasIn;
  bit says, isFound, isClosed, isAll, isMade;
  Append(0);
  true;
  d_step {
    process[0].isAlive ->
    Learn(0); isAcked = 1; appendedIn = wasIn; wasIn = 0;
#ifdef COUNT_IN_NEW_EPOCH
    isCountable = 1;
#else
    isCountable = closedFor == OVER + 1;
#endif
    closedFor = 0;
#ifdef WRITER_DIES                  /* after its answer: only who has confirmed E holds it */
    process[0].isAlive = 0; process[0].position = 0; process[0].ahead = 0; process[0].own = 0; process[0].link = 0;
    process[0].known = 0; process[0].reportedIn = 0; process[0].watched = 0; process[0].isLost = 0;
#endif
    p = 0;
    do
    :: p < PROCS -> now_.record[p].hasReadTail = 0; p++
    :: else -> break
    od;
    p = 0
  }
  d_step {
    isCountable && process[0].known == appendedIn && HAS_CONFIRMED(1) && HAS_CONFIRMED(2) && !everywhere -> Receive(); Promise1()
  }
}

init {
  byte i;
  atomic {
    epochs = 1;
    now_.entries = BIT(OLD); now_.hasHeader = 1; now_.epoch = 1; now_.isClosed = 1;
    do
    :: i < PROCS ->
       process[i].lease = OVER; process[i].sent = OVER;
#ifdef WITH_SUCCESSOR
       process[i].isAlive = i != SUCCESSOR;
#else
       process[i].isAlive = 1;
#endif
       run Follow(i);
       i++
    :: else -> break
    od;
    i = 0;
    run World(); run Revoke()
  }
}
