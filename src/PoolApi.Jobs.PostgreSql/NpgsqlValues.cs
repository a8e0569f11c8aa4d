using System.Runtime.InteropServices;
using Npgsql;
using NpgsqlTypes;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>Parameters with the type that the statement expects: no guessing, no boxing.</summary>
internal static class NpgsqlValues
{
    private static readonly DateTimeOffset Latest = new(9000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(36500);

    public static NpgsqlParameterCollection With<T>(this NpgsqlParameterCollection parameters, NpgsqlDbType type, T value)
    {
        parameters.Add(new NpgsqlParameter<T> { TypedValue = value, NpgsqlDbType = type });
        return parameters;
    }

    /// <summary>Adds two parameters, <c>$n</c> and <c>$m</c>. <c>(kind = any($n)) &lt;&gt; $m</c> is true for the kinds that the filter accepts.</summary>
    public static NpgsqlParameterCollection With(this NpgsqlParameterCollection parameters, KindFilter kinds) => parameters
        .With(NpgsqlDbType.Array | NpgsqlDbType.Text, kinds.Kinds.ToArray()).With(NpgsqlDbType.Boolean, kinds.IsExclusion);

    /// <summary>One column of many rows.</summary>
    public static NpgsqlParameterCollection WithColumn<TItem, T>(
        this NpgsqlParameterCollection parameters, NpgsqlDbType type, IReadOnlyList<TItem> items, Func<TItem, T> value)
    {
        var column = new T[items.Count];
        for (int i = 0; i < column.Length; i++) column[i] = value(items[i]);
        return parameters.With(NpgsqlDbType.Array | type, column);
    }

    /// <summary>The text with U+FFFD in place of what PostgreSQL cannot store: zero characters and unpaired surrogates.</summary>
    public static string? Storable(string? text)
    {
        if (text is null || (text.AsSpan().IndexOf('\0') < 0 && text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0)) return text;
        return string.Create(text.Length, text, static (to, from) =>
        {
            for (int i = 0; i < to.Length; i++)
            {
                bool isPair = i + 1 < to.Length && char.IsSurrogatePair(from[i], from[i + 1]);
                if (isPair) to[i] = from[i++];
                to[i] = from[i] == '\0' || (!isPair && char.IsSurrogate(from[i])) ? '\uFFFD' : from[i];
            }
        });
    }

    /// <summary>A time within what a DateTime and a timestamp can hold.</summary>
    public static DateTime? Storable(DateTimeOffset? time) => time is { } given ? (given < Latest ? given : Latest).UtcDateTime : null;

    /// <summary>A duration in microseconds, a hundred years at most.</summary>
    public static long Microseconds(TimeSpan time) => (time < Longest ? time : Longest).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>The bytes, copied only if they are part of something else.</summary>
    public static byte[] Bytes(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetArray(memory, out ArraySegment<byte> segment) && segment.Offset == 0 && segment.Count == segment.Array!.Length
            ? segment.Array
            : memory.ToArray();
}
