using System.Collections.Immutable;

namespace PoolApi.Threading.Core;

/// <summary>The label values of a pool's counters that are known before the first item. Thread-safe.</summary>
internal sealed class DeclaredLabels
{
    private ImmutableArray<string> _kinds = [];
    private ImmutableArray<string> _withdrawals = [];
    private ImmutableArray<string> _reasons = ["queue_full", "draining"];

    /// <summary>The declared kinds of work; the default kind if none was declared.</summary>
    public ImmutableArray<string> Kinds => _kinds is [] ? ["work"] : _kinds;

    /// <summary>The declared reasons of withdrawals.</summary>
    public ImmutableArray<string> Withdrawals => _withdrawals;

    /// <summary>The declared reasons of rejections.</summary>
    public ImmutableArray<string> Reasons => _reasons;

    public void AddKind(string kind) => Add(ref _kinds, kind);

    public void AddReason(string reason) => Add(ref _reasons, reason);

    public void AddWithdrawal(string reason) => Add(ref _withdrawals, reason);

    private static void Add(ref ImmutableArray<string> labels, string label) => ImmutableInterlocked.Update(
        ref labels, static (labels, label) => labels.Contains(label, StringComparer.Ordinal) ? labels : labels.Add(label), label);
}
