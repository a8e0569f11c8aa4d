namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>SplitMix64: a number costs a few instructions, and the whole sequence follows from one printed seed.</summary>
internal struct SmallRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    public int Below(int bound) => (int)(((Next() >> 32) * (ulong)bound) >> 32);

    public bool OneIn(int n) => Below(n) == 0;
}
