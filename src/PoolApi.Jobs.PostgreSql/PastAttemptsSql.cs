namespace PoolApi.Jobs.PostgreSql;

/// <summary>SQL expressions for the column <c>earlier</c> of a job j, which keeps its past attempts by the rules of <see cref="PastAttempts"/>.</summary>
/// <remarks>
/// The list is one value of the job's row, and null for a job that has none: nearly all. A statement writes it with the change of state that
/// it makes anyway.
/// </remarks>
internal static class PastAttemptsSql
{
    /// <summary>The list with the attempt that runs, which ends now and is not the job's last.</summary>
    /// <param name="outcome">How it ended.</param>
    /// <param name="number">The attempt's number.</param>
    /// <param name="startedAt">When it was claimed.</param>
    /// <param name="worker">The instance that ran it.</param>
    /// <param name="error">The error's name.</param>
    /// <param name="detail">The error's detail.</param>
    public static string With(
        PastOutcome outcome, string number = "j.attempt", string startedAt = "j.started_at", string worker = "j.worker", string error = "null::text",
        string detail = "null::text")
    {
        string entry = Entry($"'{outcome.ToWord()}'", number, Microseconds(startedAt), Microseconds("now()"), worker, error, detail);
        string kept = outcome == PastOutcome.HandedBack
            ? $"case when j.earlier->-1->>'end' = '{outcome.ToWord()}' and j.earlier->-1->>'by' = {worker} then j.earlier - -1 else {Kept} end"
            : Kept;
        return $"({kept} || {entry})";
    }

    /// <summary>The list with the end that the job has, for when it is retried.</summary>
    public static string WithEnd { get; } = EndSql();

    private static string Kept => $"case when jsonb_array_length(j.earlier) >= {PastAttempts.Most} then j.earlier - 0 else coalesce(j.earlier, '[]') end";

    private static string EndSql()
    {
        string started = Microseconds("j.started_at");
        // An attempt that was retried, lost or handed back is in the list already; the job then ended while it was queued.
        string isAttempt = $"(j.earlier->-1->>'from')::bigint is distinct from {started}";
        string word = $"case j.state when 3 then '{PastOutcome.Failed.ToWord()}' when 4 then '{PastOutcome.Cancelled.ToWord()}' else '{PastOutcome.Expired.ToWord()}' end";
        return $"({Kept} || {Entry(word, "j.attempt", $"case when {isAttempt} then {started} end", Microseconds("j.finished_at"),
            $"case when j.started_at is not null and {isAttempt} then j.worker end", "j.error_name", "j.error_detail")})";
    }

    private static string Entry(string end, string number, string from, string to, string worker, string error, string detail) =>
        $"""
        jsonb_strip_nulls(jsonb_build_object('n', {number}, 'from', {from}, 'to', {to}, 'by', {worker}, 'end', {end}, 'error', {error},
          'detail', left({detail}, {PastAttempts.MostDetail})))
        """;

    private static string Microseconds(string time) => $"(extract(epoch from {time}) * 1000000)::bigint";
}
