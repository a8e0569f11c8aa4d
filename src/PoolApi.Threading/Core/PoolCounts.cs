using System.Collections;
using System.Diagnostics.CodeAnalysis;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>The ended items of a pool by outcome, at one moment. Every outcome is a key.</summary>
internal sealed class PoolCounts(in OutcomeCounts ended) : IReadOnlyDictionary<WorkOutcome, long>
{
    private static readonly WorkOutcome[] Outcomes = Enum.GetValues<WorkOutcome>();

    private readonly OutcomeCounts _ended = ended;

    public IEnumerable<WorkOutcome> Keys => Outcomes;

    public IEnumerable<long> Values => Outcomes.Select(outcome => this[outcome]);

    public int Count => Outcomes.Length;

    public long this[WorkOutcome key] => TryGetValue(key, out long value) ? value : throw new KeyNotFoundException($"{key} is no outcome.");

    public bool ContainsKey(WorkOutcome key) => key is >= 0 and <= WorkOutcome.TimedOut;

    public bool TryGetValue(WorkOutcome key, [MaybeNullWhen(false)] out long value)
    {
        bool isOutcome = ContainsKey(key);
        value = isOutcome ? _ended[(int)key] : 0;
        return isOutcome;
    }

    public IEnumerator<KeyValuePair<WorkOutcome, long>> GetEnumerator() =>
        Outcomes.Select(outcome => KeyValuePair.Create(outcome, this[outcome])).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
