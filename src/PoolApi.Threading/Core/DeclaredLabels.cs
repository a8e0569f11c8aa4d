using System.Collections.Immutable;

namespace PoolApi.Threading.Core;

/// <summary>The label values that a pool's counters can have, as far as they are known before the first item. Thread-safe.</summary>
internal sealed class DeclaredLabels
{
    private ImmutableArray<string> _kinds = [];
    private ImmutableArray<string> _withdrawals = [];
    private ImmutableArray<string> _reasons = ["queue_full", "draining"];

    /// <summary>Kinds of work; that of items without one, if none has been declared.</summary>
    public ImmutableArray<string> Kinds => _kinds is [] ? ["work"] : _kinds;

    /// <summary>Reasons of a withdrawal.</summary>
    public ImmutableArray<string> Withdrawals => _withdrawals;

    /// <summary>Reasons of a rejection.</summary>
    public ImmutableArray<string> Reasons => _reasons;

    public void AddKind(string kind) => Add(ref _kinds, kind);

    public void AddReason(string reason) => Add(ref _reasons, reason);

    public void AddWithdrawal(string reason) => Add(ref _withdrawals, reason);

    private static void Add(ref ImmutableArray<string> labels, string label) => ImmutableInterlocked.Update(
        ref labels, static (labels, label) => labels.Contains(label, StringComparer.Ordinal) ? labels : labels.Add(label), label);
}
