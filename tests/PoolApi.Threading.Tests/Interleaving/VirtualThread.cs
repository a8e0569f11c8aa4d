namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// One thread of a scenario: an operating system's thread that runs only while it holds the baton, and its store buffer.
/// It lives through all schedules of its explorer.
/// </summary>
internal sealed unsafe class VirtualThread
{
    [ThreadStatic]
    private static VirtualThread? s_current;

    private readonly Schedule _schedule;
    private readonly Baton _baton = new();
    private readonly Thread _thread;

    // What it has stored and nobody else sees yet, in order. The words are pinned.
    private readonly nint[] _places = new nint[64];
    private readonly int[] _values = new int[64];
    private int _first;
    private int _end;

    public VirtualThread(Schedule schedule, int index, int core)
    {
        _schedule = schedule;
        Index = index;
        _thread = new Thread(() => Main(core), 256 * 1024) { IsBackground = true, Name = $"explorer {core}.{index}" };
        _thread.UnsafeStart();
    }

    public int Index { get; }

    /// <summary>The word it sleeps on; 0: it does not.</summary>
    public nint SleepsOn { get; set; }

    public int Yields { get; set; }

    public bool HasStores => _first != _end;

    /// <summary>The calling thread, if it is one, while a schedule runs.</summary>
    public static VirtualThread? Current => s_current is { } current && current._schedule.IsRunning ? current : null;

    public Schedule Schedule => _schedule;

    public void Give() => _baton.Give();

    public void Await() => _baton.Await();

    public void Join() => _thread.Join();

    public void Store(int* place, int value)
    {
        if (_end == _places.Length) FlushAll();
        _places[_end] = (nint)place;
        _values[_end++] = value;
        _schedule.NoteStores(this);
    }

    /// <summary>A thread sees its own stores at once: the newest to that place.</summary>
    public int Load(int* place)
    {
        for (int i = _end - 1; i >= _first; i--)
        {
            if (_places[i] == (nint)place) return _values[i];
        }
        return *place;
    }

    public void FlushOne()
    {
        if (_first == _end) return;
        *(int*)_places[_first] = _values[_first];
        if (++_first == _end) Forget();
    }

    public void FlushAll()
    {
        while (_first != _end) FlushOne();
    }

    public void Forget()
    {
        _first = _end = 0;
        _schedule.NoteStores(this);
    }

    private void Main(int core)
    {
        Baton.KeepOnCore(core);
        s_current = this;
        while (true)
        {
            _baton.Await();
            if (_schedule.IsOver) return;
            do
            {
                try
                {
                    _schedule.RunBody(this);
                }
                catch (ScheduleAbortedException)
                {
                    // Its failure is known already.
                }
#pragma warning disable CA1031 // whatever it is, it is the finding
                catch (Exception e)
#pragma warning restore CA1031
                {
                    _schedule.Note($"{_schedule.NameOf(this)} threw {e}");
                }
            }
            while (_schedule.PassOnAtEnd(this));
        }
    }
}

/// <summary>Unwinds the threads of a schedule that has failed.</summary>
internal sealed class ScheduleAbortedException : Exception;
