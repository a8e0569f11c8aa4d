namespace PoolApi.Dashboard.History;

/// <summary>A ring buffer of the last samples, oldest first.</summary>
internal sealed class SampleRing(int capacity)
{
    private readonly PoolSample?[] _samples = new PoolSample?[capacity];
    private long _count;

    public int Capacity => capacity;

    public void Add(PoolSample sample) => _samples[_count++ % capacity] = sample;

    public PoolSample[] ToArray()
    {
        int length = (int)Math.Min(_count, capacity);
        var all = new PoolSample[length];
        for (int i = 0; i < length; i++) all[i] = _samples[(_count - length + i) % capacity]!;
        return all;
    }
}
