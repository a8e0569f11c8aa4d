namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// One thread of a scenario: its state and its store buffer. While it is under way, a <see cref="Carrier"/> runs it.
/// It lives through all schedules of its explorer.
/// </summary>
internal sealed unsafe class VirtualThread(Schedule schedule, int index)
{
    [ThreadStatic]
    private static VirtualThread? s_current;

    // What it has stored and nobody else sees yet, in order: words, which are pinned, and the owners of items, which are found by their item.
    private readonly nint[] _places = new nint[64];
    private readonly int[] _values = new int[64];
    private readonly (PoolWorkItem? Item, object? Owner)[] _owners = new (PoolWorkItem?, object?)[64];
    private int _first;
    private int _end;

    public int Index { get; } = index;

    /// <summary>The operating system's thread that runs it; null before its first step and after its last.</summary>
    public Carrier? Carrier { get; set; }

    /// <summary>The word it sleeps on; 0: it does not.</summary>
    public nint SleepsOn { get; set; }

    public int Yields { get; set; }

    public bool HasStores => _first != _end;

    /// <summary>The calling thread, if it is one, while a schedule runs.</summary>
    public static VirtualThread? Current => s_current is { } current && current.Schedule.IsRunning ? current : null;

    public Schedule Schedule { get; } = schedule;

    /// <summary>It goes on, or starts on a carrier that is free.</summary>
    public void Give() => (Carrier ?? Schedule.Assign(this)).Give();

    public void Await() => Carrier!.Await();

    /// <summary>The calling thread is its carrier from now on.</summary>
    public void Enter() => s_current = this;

    public void Store(int* place, int value)
    {
        if (_end == _places.Length) FlushAll();
        _owners[_end] = default;
        _places[_end] = (nint)place;
        _values[_end++] = value;
        Schedule.NoteStores(this);
    }

    public void Store(PoolWorkItem item, object? owner)
    {
        if (_end == _places.Length) FlushAll();
        _places[_end] = 0;
        _owners[_end++] = (item, owner);
        Schedule.NoteStores(this);
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

    public object? Load(PoolWorkItem item)
    {
        for (int i = _end - 1; i >= _first; i--)
        {
            if (ReferenceEquals(_owners[i].Item, item)) return _owners[i].Owner;
        }
        return item.Owner;
    }

    public void FlushOne()
    {
        if (_first == _end) return;
        if (_owners[_first] is ({ } item, var owner)) item.Owner = owner;
        else *(int*)_places[_first] = _values[_first];
        if (++_first == _end) Forget();
    }

    public void FlushAll()
    {
        while (_first != _end) FlushOne();
    }

    public void Forget()
    {
        _first = _end = 0;
        Schedule.NoteStores(this);
    }
}

/// <summary>Unwinds the threads of a schedule that has failed.</summary>
internal sealed class ScheduleAbortedException : Exception;
