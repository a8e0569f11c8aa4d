using System.Diagnostics;
using System.Numerics;

namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// Runs a scenario's threads one at a time, in an order that depends only on a seed, again and again with new seeds.
/// </summary>
/// <remarks>
/// <para>Each seed chooses its strategy. Half of the seeds walk at random: at each step, with a probability that the seed chooses,
/// any ready thread continues. The others use priorities with a few change points (PCT: Burckhardt et al., ASPLOS 2010): the
/// thread of the highest priority runs, until at one of few random steps its priority becomes the lowest. The first strategy finds
/// faults that need many switches. The second finds those that need few at the right places, or a thread that is held up for long.</para>
/// <para>No separate thread drives the others: the last thread of a schedule checks it, sets up the next and passes the baton
/// on. That saves two switches for each schedule.</para>
/// </remarks>
internal sealed unsafe class Schedule : IDisposable
{
    public const int MostThreads = 5;

    private const int MostChanges = 4;
    private const int MostSteps = 20_000;

    private readonly VirtualThread[] _threads = new VirtualThread[MostThreads];
    private readonly Carrier[] _carriers = new Carrier[MostThreads];
    private readonly Stack<Carrier> _free = new(MostThreads); // used only by the thread that holds the baton
    private readonly int[] _priorities = new int[MostThreads];
    private readonly int[] _changes = new int[MostChanges + 1]; // the last is never reached
    private readonly ManualResetEventSlim _done = new();

    // The exploration.
    private Scenario _scenario = null!;
    private SmallRandom _seeds;
    private long _left;

    // The schedule.
    private World _world = null!;
    private SmallRandom _random;
    private ulong _seed;
    private int _steps;
    private uint _live; // threads that have not ended, a bit each
    private uint _ready; // of those, the ones that do not sleep
    private uint _storing; // those with something in their store buffer
    private bool _byPriority;
    private uint _switchBelow; // of 2^16
    private uint _flushBelow; // of 2^16
    private uint _wakeBelow; // of 2^16: a spurious wake-up
    private bool _spinsAtOnce; // spinning seldom switches, so threads stop spinning soon and sleep
    private int _lowest;
    private int _nextChange;
    private bool _somebodyWoke; // perhaps with a higher priority than the one that runs
    private List<string>? _trace;
    private List<nint>? _places;

    public Schedule(int core)
    {
        for (int i = 0; i < MostThreads; i++)
        {
            _threads[i] = new VirtualThread(this, i);
            _carriers[i] = new Carrier(this, i, core);
            _free.Push(_carriers[i]);
        }
    }

    /// <summary>Whether a schedule runs. During its setup and its check, steps are plain.</summary>
    public bool IsRunning { get; private set; }

    /// <summary>Whether the explorer is disposed of.</summary>
    public bool IsOver { get; private set; }

    /// <summary>How often a worker that spins looks for work.</summary>
    public int Looks { get; private set; }

    public bool IsTracing => _trace is not null;

    /// <summary>The failure, if there is one.</summary>
    public string? Failure { get; private set; }

    public ulong Seed => _seed;

    public long SchedulesDone { get; private set; }

    public long StepsDone { get; private set; }

    public long SwitchesDone { get; private set; }

    /// <summary>The seed's random numbers, also for choices of the scenarios.</summary>
    public ref SmallRandom Random => ref _random;

    // --- exploring ----------------------------------------------------------------------------------------------------

    /// <summary>Runs the given number of schedules, or stops at the first that fails. The calling thread only waits.</summary>
    public void Explore(Scenario scenario, ulong seed, long count)
    {
        Start(scenario, count);
        _seeds = new SmallRandom(seed);
        StartNext(_seeds.Next()).Give();
        Wait();
    }

    /// <summary>Runs one schedule, and records its steps.</summary>
    public IReadOnlyList<string> Trace(Scenario scenario, ulong seed)
    {
        Start(scenario, 1);
        _trace = [];
        _places = [];
        StartNext(seed).Give();
        Wait();
        List<string> trace = _trace;
        _trace = null;
        return trace;
    }

    public void Dispose()
    {
        IsOver = true;
        foreach (Carrier carrier in _carriers)
        {
            carrier.Give();
            carrier.Join();
        }
        _done.Dispose();
    }

    private void Start(Scenario scenario, long count)
    {
        _scenario = scenario;
        _left = count;
        Failure = null;
        SchedulesDone = StepsDone = SwitchesDone = 0;
        _done.Reset();
    }

    private void Wait()
    {
        // No schedule takes a second. A thread that loops without a step cannot be ended, but it can be reported.
        for (long seen = -1; !_done.Wait(TimeSpan.FromSeconds(30)); seen = SchedulesDone)
        {
            if (seen == SchedulesDone) throw new InvalidOperationException($"A thread hangs between two steps: {_scenario.Name}, seed {_seed}.");
        }
    }

    private VirtualThread StartNext(ulong seed)
    {
        _left--;
        _seed = seed;
        _random = new SmallRandom(seed);
        _steps = 0;
        _storing = 0;
        _live = _ready = (1u << _scenario.Threads) - 1;
        ChooseHowToChoose();
        _world = _scenario.Make(this);
        Debug.Assert(_world.Threads.Count == _scenario.Threads);
        for (int i = 0; i < _scenario.Threads; i++)
        {
            _threads[i].SleepsOn = 0;
            _threads[i].Yields = 0;
            _threads[i].Forget();
        }
        IsRunning = true;
        return ChooseNext(_ready);
    }

    private void ChooseHowToChoose()
    {
        _byPriority = _random.OneIn(2);
        _switchBelow = 65536u >> (1 + _random.Below(4));
        _flushBelow = _random.Below(3) switch { 0 => 32768, 1 => 4096, _ => 0 };
        _wakeBelow = _random.OneIn(8) ? 2048u : 0;
        _spinsAtOnce = _random.OneIn(2);
        Looks = _random.Below(3);
        if (!_byPriority) return;
        _lowest = 0;
        for (int i = 0; i < MostThreads; i++) _priorities[i] = i + 1;
        for (int i = MostThreads - 1; i > 0; i--)
        {
            int other = _random.Below(i + 1);
            (_priorities[i], _priorities[other]) = (_priorities[other], _priorities[i]);
        }
        // The length of a schedule is not known before it has run, so its order of magnitude is chosen at random.
        int length = 16 << _random.Below(5);
        int changes = _random.Below(MostChanges + 1);
        for (int i = 0; i <= MostChanges; i++) _changes[i] = i < changes ? 1 + _random.Below(length) : int.MaxValue;
        Array.Sort(_changes);
        _nextChange = 0;
        _somebodyWoke = false;
    }

    // --- called by the threads ------------------------------------------------------------------------------------------

    public void RunBody(VirtualThread thread) => _world.Threads[thread.Index].Body();

    /// <summary>Assigns a free carrier to a thread that starts. One is always free, because there are as many carriers as threads.</summary>
    public Carrier Assign(VirtualThread thread) => Assign(thread, _free.Pop());

    /// <summary>The thread's body has ended: passes the baton on.</summary>
    /// <returns>The thread that its carrier runs next, in this schedule or in the next one; null if another carrier continues.</returns>
    public VirtualThread? PassOnAtEnd(VirtualThread thread)
    {
        Carrier carrier = thread.Carrier!;
        thread.Carrier = null;
        thread.FlushAll();
        _live &= ~(1u << thread.Index);
        _ready &= ~(1u << thread.Index);
        if (IsTracing) Trace(thread, "ended");
        if (_live != 0)
        {
            if (_ready == 0 && Failure is null) NoteAllAsleep();
            return PassOn(carrier, ChooseNext(Failure is null ? _ready : _live));
        }
        IsRunning = false;
        SchedulesDone++;
        StepsDone += _steps;
        if (Failure is null) Check();
        if (Failure is not null || _left == 0) return End(carrier);
        try
        {
            return PassOn(carrier, StartNext(_seeds.Next()));
        }
#pragma warning disable CA1031 // the exploration reports a scenario that cannot be created
        catch (Exception e)
#pragma warning restore CA1031
        {
            Note(e.ToString());
            return End(carrier);
        }
    }

    private static Carrier Assign(VirtualThread thread, Carrier carrier)
    {
        thread.Carrier = carrier;
        carrier.Runs = thread;
        return carrier;
    }

    private VirtualThread? PassOn(Carrier carrier, VirtualThread next)
    {
        if (next.Carrier is null)
        {
            Assign(next, carrier);
            return next;
        }
        _free.Push(carrier);
        SwitchesDone++;
        next.Give();
        return null;
    }

    private VirtualThread? End(Carrier carrier)
    {
        _free.Push(carrier);
        _done.Set();
        return null;
    }

    /// <summary>Reports a failure, and ends the schedule and the exploration.</summary>
    public void Fail(string what)
    {
        Note(what);
        throw new ScheduleAbortedException();
    }

    public void Note(string what)
    {
        Failure ??= what;
        if (IsTracing) _trace!.Add($"  failed: {what}");
    }

    /// <summary>A step: another thread may continue here.</summary>
    public void Step(VirtualThread thread)
    {
        Count();
        ulong dice = _random.Next();
        if (_storing != 0 && (dice & 0xFFFF) < _flushBelow) FlushAnyOf(_storing);
        if (_wakeBelow != 0 && (dice >> 16 & 0xFFFF) < _wakeBelow) WakeForNoReason();
        if (_byPriority)
        {
            if (_steps >= _changes[_nextChange])
            {
                _nextChange++;
                _priorities[thread.Index] = --_lowest;
            }
            else if (!_somebodyWoke)
            {
                return;
            }
            _somebodyWoke = false;
            SwitchTo(thread, HighestOf(_ready));
        }
        else if ((dice >> 32 & 0xFFFF) < _switchBelow)
        {
            SwitchTo(thread, AnyOf(_ready));
        }
    }

    /// <summary>A step of a thread that waits for another: the other threads continue sooner or later.</summary>
    public void StepAside(VirtualThread thread)
    {
        if (_spinsAtOnce && ++thread.Yields % 32 != 0)
        {
            Step(thread);
            return;
        }
        Count();
        if (_storing != 0 && _random.OneIn(4)) FlushAnyOf(_storing);
        uint others = _ready & ~(1u << thread.Index);
        if (others == 0) return;
        if (_byPriority) _priorities[thread.Index] = --_lowest;
        SwitchTo(thread, ChooseNext(others));
    }

    public void Sleep(VirtualThread thread, int* place)
    {
        thread.SleepsOn = (nint)place;
        _ready &= ~(1u << thread.Index);
        if (_ready == 0)
        {
            NoteAllAsleep();
            throw new ScheduleAbortedException();
        }
        SwitchTo(thread, ChooseNext(_ready));
    }

    public void Wake(int* place)
    {
        uint sleepers = 0;
        for (uint left = _live & ~_ready; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            if (_threads[i].SleepsOn == (nint)place) sleepers |= 1u << i;
        }
        if (sleepers != 0) MakeReady(AnyOf(sleepers));
    }

    public void NoteStores(VirtualThread thread)
    {
        if (thread.HasStores) _storing |= 1u << thread.Index;
        else _storing &= ~(1u << thread.Index);
    }

    /// <summary>The place as a field of one of the scenario's items; null if it is no such field.</summary>
    public Place? FieldOfItem<T>(ref T place) => Place.InOneOf(_world.SharedItems, ref place);

    public Place PlaceOf(ref int word) => FieldOfItem(ref word) ?? Place.Pinned(ref word);

    public Place PlaceOf(ref bool flag) => FieldOfItem(ref flag) ?? throw new InvalidOperationException("The flag is no field of an item.");

    public void FlushEveryThread()
    {
        foreach (VirtualThread thread in _threads) thread.FlushAll();
    }

    // --- choosing -------------------------------------------------------------------------------------------------------

    private void Count()
    {
        if (Failure is not null) throw new ScheduleAbortedException();
        if (++_steps > MostSteps) Fail($"no end after {MostSteps} steps");
    }

    private void SwitchTo(VirtualThread thread, VirtualThread next)
    {
        if (ReferenceEquals(thread, next)) return;
        SwitchesDone++;
        next.Give();
        thread.Await();
        if (Failure is not null) throw new ScheduleAbortedException();
    }

    private VirtualThread ChooseNext(uint among) => _byPriority ? HighestOf(among) : AnyOf(among);

    private VirtualThread HighestOf(uint among)
    {
        int best = -1;
        for (uint left = among; left != 0; left &= left - 1)
        {
            int i = BitOperations.TrailingZeroCount(left);
            if (best < 0 || _priorities[i] > _priorities[best]) best = i;
        }
        return _threads[best];
    }

    private VirtualThread AnyOf(uint among)
    {
        int count = BitOperations.PopCount(among);
        for (int skip = count == 1 ? 0 : _random.Below(count); skip > 0; skip--) among &= among - 1;
        return _threads[BitOperations.TrailingZeroCount(among)];
    }

    private void FlushAnyOf(uint among)
    {
        VirtualThread thread = AnyOf(among);
        thread.FlushOne();
        if (IsTracing) Trace(thread, "a store becomes visible");
    }

    private void WakeForNoReason()
    {
        uint sleepers = _live & ~_ready;
        if (sleepers == 0) return;
        VirtualThread thread = AnyOf(sleepers);
        MakeReady(thread);
        if (IsTracing) Trace(thread, "wakes for no reason");
    }

    private void MakeReady(VirtualThread thread)
    {
        thread.SleepsOn = 0;
        _ready |= 1u << thread.Index;
        _somebodyWoke = true;
    }

    private void Check()
    {
        try
        {
            _world.Check();
        }
        catch (ScheduleAbortedException)
        {
            // Fail has recorded the failure.
        }
#pragma warning disable CA1031 // any exception is a finding
        catch (Exception e)
#pragma warning restore CA1031
        {
            Note($"the check threw {e}");
        }
    }

    private void NoteAllAsleep()
    {
        var names = new List<string>();
        for (uint left = _live; left != 0; left &= left - 1) names.Add(NameOf(_threads[BitOperations.TrailingZeroCount(left)]));
        Note($"a lost wake-up: no thread is left to wake {string.Join(", ", names)}");
    }

    // --- reporting ------------------------------------------------------------------------------------------------------

    public string NameOf(VirtualThread thread) => _world.Threads[thread.Index].Name;

    /// <summary>Words have no names, so a word is numbered at its first use. The numbers are the same in each replay.</summary>
    public string NameOf(int* place)
    {
        int index = _places!.IndexOf((nint)place);
        if (index < 0)
        {
            index = _places.Count;
            _places.Add((nint)place);
        }
        return $"word{index}";
    }

    public string NameOf(Place place) => place.Item is null ? NameOf((int*)place.Offset) : $"{place.Item}+{place.Offset}";

    /// <summary>The same for a place that may be a field. A field gets no number, because a collection may move it.</summary>
    public string NameOfIfKnown(int* place) => _places!.Contains((nint)place) ? NameOf(place) : "field";

    public void Trace(VirtualThread thread, string what)
    {
        // The callers. They cost some 10 µs, so only a replay traces.
        var callers = new StackTrace(2, false).GetFrames().Select(static f => f.GetMethod())
            .Where(static m => m?.DeclaringType is { } type && type.FullName!.StartsWith("PoolApi", StringComparison.Ordinal) && type != typeof(ScheduledOps) && type != typeof(Schedule) && type != typeof(VirtualThread))
            .Select(static m => m!.Name).Take(4);
        _trace!.Add($"  {_steps,5} {NameOf(thread),-14} {what,-52} | {string.Join(" < ", callers)}");
    }
}
