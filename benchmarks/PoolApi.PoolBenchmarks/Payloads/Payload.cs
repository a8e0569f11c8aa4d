namespace PoolApi.PoolBenchmarks.Payloads;

/// <summary>The content of a separate item: 32 bytes that the producer writes and the worker reads.</summary>
internal readonly record struct Payload(long First, long Second, long Third, long Sum)
{
    public static Payload Of(long number) => new(number, ~number, number * 31, number ^ ~number ^ (number * 31));

    /// <summary>Reads all of it.</summary>
    /// <exception cref="InvalidOperationException">It is not what a producer wrote.</exception>
    public void Check()
    {
        if ((First ^ Second ^ Third ^ Sum) != 0) throw new InvalidOperationException("A worker has read what no producer wrote.");
    }
}
