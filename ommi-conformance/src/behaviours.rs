//! The list of behaviours, by topic.
//!
//! There is one list, as a macro: it becomes the table here, and the tests of whoever calls
//! [`suite!`](crate::suite!). A behaviour that is written but not listed is dead code, which the compiler reports.

use futures::future::BoxFuture;
use ommi::{DBResult, Ommi};

use crate::cases;
use crate::{Database, Requirement};

/// What a driver does, as a case that shows it.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// What it is about.
    pub topic: &'static str,
    /// What is done.
    pub name: &'static str,
    /// The capabilities it needs.
    pub needs: &'static [Requirement],
    /// Shows it, on an empty database.
    pub(crate) case: for<'a> fn(&'a Ommi) -> BoxFuture<'a, DBResult<()>>,
}

impl Behaviour {
    /// The first capability that it needs and this database lacks.
    pub fn missing(&self, database: &Database) -> Option<Requirement> {
        let capabilities = database.ommi.driver().capabilities();
        self.needs.iter().copied().find(|need| !need.is_met(database, capabilities))
    }
}

macro_rules! table {
    ($($topic:ident { $($name:ident $(needs $($requirement:ident)+)?,)* })*) => {
        /// Every behaviour.
        pub static BEHAVIOURS: &[Behaviour] = &[$($(
            Behaviour {
                topic: stringify!($topic),
                name: stringify!($name),
                needs: &[$($(Requirement::$requirement),+)?],
                case: |db| Box::pin(cases::$topic::$name(db)),
            },
        )*)*];
    };
}

/// Gives the list to a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __behaviours {
    (($($to:tt)+)) => {
        $($to)+! {
            round_trips {
                integers_at_the_ends_of_their_ranges,
                optional_integers_with_and_without_a_value,
                integers_that_no_float_can_hold,
                floats_at_the_ends_of_their_ranges,
                floats_keep_every_digit,
                subnormal_floats,
                infinities,
                negative_zero_is_zero,
                an_f32_is_found_by_its_value,
                bools,
                hostile_text,
                hostile_text_is_found_by_equality,
                empty_text_is_not_null,
                text_is_not_normalized,
                a_megabyte_of_text,
                bytes_of_every_value,
                a_megabyte_of_bytes,
                uuids,
                types_of_the_application,
            }
            times {
                dates_of_the_first_and_the_last_year,
                a_date_beyond_year_9999_comes_back_or_is_refused,
                times_in_seconds,
                times_in_milliseconds,
                times_in_microseconds needs microseconds,
                nanoseconds_come_back_or_are_refused,
                what_is_finer_than_a_declared_precision_is_refused,
                what_is_finer_than_a_declared_precision_is_cut_where_it_may_be,
                a_precision_that_the_store_lacks_is_unsupported,
            }
            invalid_values {
                nan_in_a_new_row,
                nul_in_the_text_of_a_new_row,
                a_u64_beyond_i64_in_a_new_row,
                one_bad_row_among_many_adds_none,
                in_comparisons,
                in_lists,
                in_text_predicates,
                deep_in_a_condition,
                in_every_verb,
                in_an_update_nothing_changes,
                in_a_save_nothing_changes,
                in_an_upsert,
                in_a_key,
                leaves_a_transaction_usable needs transactions,
                refused_by_a_type_of_the_application,
            }
            adding {
                a_generated_key_comes_back_with_the_row,
                generated_keys_count_upwards_in_the_order_of_the_rows,
                an_explicit_key_is_kept,
                keys_generated_after_an_explicit_one_lie_above_it,
                explicit_and_generated_keys_mixed,
                a_generated_key_is_never_given_twice,
                generated_keys_of_other_integer_types,
                a_model_of_nothing_but_a_generated_key,
                defaults_and_optional_columns_are_filled_in,
                a_value_given_wins_over_the_default,
                a_whole_model_is_added_as_it_is,
                an_empty_list_adds_nothing,
                forty_thousand_rows_at_once,
                a_violation_in_the_last_row_adds_none needs atomic_statements,
                a_violation_in_the_last_of_forty_thousand_rows_adds_none needs transactions,
                composite_keys,
                renamed_columns_and_keys,
                a_text_key_stays_as_given,
                random_uuid_keys,
                uuid_keys_in_the_order_of_time,
                an_explicit_uuid_key_is_kept,
                a_skipped_field_is_no_column,
            }
            drafts {
                by_methods,
                by_slots,
                a_required_column_that_was_left_out_is_named,
                an_optional_column_can_be_none_by_name,
            }
            reading {
                one_gives_the_row,
                one_without_a_row_is_not_found,
                one_of_several_is_the_first_in_order,
                first_is_a_row_or_none,
                all_gives_every_row_that_meets_the_condition,
                count_counts,
                exists_says_whether_there_is_a_row,
                get_by_key,
                get_by_a_composite_key,
                one_query_is_run_many_times,
                one_shape_with_many_values,
                many_shapes,
                nothing_runs_until_it_is_awaited,
            }
            comparisons {
                each_comparison_with_a_value,
                a_null_column_meets_no_comparison,
                a_null_column_meets_no_negated_comparison,
                eq_none_is_null,
                ne_none_is_not_null,
                an_order_with_none_is_unknown,
                a_required_column_is_never_null,
                between_includes_both_ends,
                between_with_an_unknown_end,
                between_columns,
                column_against_column,
                negated_column_against_column,
                an_optional_column_against_a_required_one,
                integers_at_the_ends_of_their_range,
                bools,
                floats_and_infinities,
                text_by_its_bytes,
                unsigned_integers,
                dates_and_times,
                uuids_by_their_bytes,
                bytes_are_equal_or_not,
                bytes_in_order_or_unsupported,
            }
            lists {
                in_finds_each_of_the_values,
                not_in_finds_the_others,
                in_an_empty_list_is_false,
                not_in_an_empty_list_is_true,
                a_list_with_none,
                a_long_list_with_none,
                lists_of_every_length,
                a_hundred_thousand_values,
                two_long_lists_in_one_query,
                a_long_list_in_an_update_and_a_delete,
                lists_of_every_type,
                hostile_text_in_lists,
            }
            text_predicates {
                contains_minds_the_case,
                starts_with_minds_the_case,
                ends_with_minds_the_case,
                an_empty_needle_is_in_every_text,
                a_null_text_meets_neither_a_predicate_nor_its_contrary,
                wildcards_mean_themselves,
                wildcards_mean_themselves_whatever_the_case,
                ignoring_case_folds_ascii,
                ignoring_case_folds_nothing_but_ascii,
                line_breaks_are_letters_like_any_other,
                prefixes_at_the_edges_of_unicode,
                characters_of_several_bytes,
                a_very_long_needle,
                a_column_as_the_needle,
            }
            logic {
                precedence_is_as_written,
                unknown_in_and_or_and_not,
                de_morgan_holds,
                all_of_none_is_true_and_any_of_none_is_false,
                all_of_and_any_of_iterators,
                optional_conditions,
                filter_narrows_what_was_found,
                two_thousand_alternatives,
                conditions_nested_deeply,
                conditions_as_deep_as_they_may_be,
                conditions_nested_too_deep_are_refused,
                a_condition_nested_too_deep_leaves_a_transaction_usable needs transactions,
                long_chains_do_not_nest,
                a_condition_is_used_many_times,
            }
            sorting {
                null_comes_first_upwards_and_last_downwards,
                null_goes_where_it_is_asked_to,
                null_order_on_a_required_column_changes_nothing,
                several_columns,
                a_column_sorted_by_twice_decides_once,
                a_second_sort_decides_between_equals,
                an_order_is_put_together_at_run_time,
                text_by_its_bytes,
                numbers,
                bools_dates_and_uuids,
                bytes_one_by_one needs bytes_order,
                sorted_and_filtered,
            }
            paging {
                limit_and_offset_count_rows,
                pages_count_from_zero,
                a_limit_of_zero_gives_nothing,
                limits_and_offsets_beyond_i64,
                pages_of_equal_rows_have_no_gaps_and_no_repeats,
                pages_without_an_order_have_no_gaps_and_no_repeats,
                pages_by_a_composite_key,
                count_and_exists_observe_limit_and_offset,
                first_and_one_observe_limit_and_offset,
            }
            streams {
                every_row_in_order,
                pieces_of_any_size,
                of_no_rows,
                with_a_condition_and_a_page,
                dropped_early_the_pool_is_usable,
                never_read_it_sends_nothing,
                a_missing_table_is_the_first_item,
                an_error_in_the_middle_ends_it,
                two_at_once needs several_connections,
                other_statements_run_meanwhile needs several_connections,
            }
            updating {
                sets_exactly_the_rows_that_meet_the_condition,
                or_in_the_condition_stays_within_it,
                several_columns_at_once,
                set_none_makes_it_null,
                increment_and_decrement,
                null_incremented_stays_null,
                a_column_takes_what_another_holds,
                two_columns_are_exchanged,
                a_change_to_the_column_of_the_condition,
                counts_the_rows_that_met_the_condition_changed_or_not,
                an_update_of_nothing_is_an_error,
                the_whole_table_must_be_said,
                takes_no_sort_limit_or_offset,
                a_column_set_twice_is_an_error,
                changes_that_are_put_together_at_run_time,
                hostile_text,
                an_increment_beyond_the_range_is_an_error needs checks atomic_statements,
                a_decrement_beyond_the_range_is_an_error needs checks,
                increments_up_to_the_ends_of_the_range,
                floats_are_incremented,
                a_sum_of_floats_is_as_precise_as_its_column,
                a_float_incremented_beyond_its_range_is_an_error,
                an_increment_to_nan_is_an_error,
                sets_values_of_every_kind,
                a_violation_changes_nothing needs atomic_statements,
                a_key_can_be_changed needs key_update,
                changing_a_key_works_or_is_unsupported,
            }
            deleting {
                deletes_exactly_the_rows_that_meet_the_condition,
                null_meets_no_comparison,
                or_in_the_condition_stays_within_it,
                the_whole_table_must_be_said,
                find_all_with_a_filter_deletes_what_meets_it,
                takes_no_sort_limit_or_offset,
                a_row_by_its_key,
                a_row_by_its_composite_key,
            }
            saving {
                writes_every_column_of_that_row,
                an_unchanged_row,
                a_row_that_has_gone_is_not_found,
                a_violation_changes_nothing,
                by_a_composite_key,
                a_row_of_nothing_but_its_key,
            }
            upserting {
                adds_a_row_that_is_not_there,
                changes_the_row_that_is_there,
                several_changes,
                ignores_the_row_that_is_there,
                on_the_key,
                on_a_generated_key_it_always_adds,
                null_in_the_target_always_adds,
                a_violation_of_another_constraint_stays_an_error,
                a_change_that_violates_a_constraint_is_an_error,
                on_a_composite_unique_set,
                on_a_composite_key,
                a_target_that_is_not_unique_is_an_error,
                a_change_of_nothing_is_an_error,
                hostile_text,
                a_whole_model,
                many_at_once_lose_nothing,
            }
            constraints {
                a_unique_column,
                a_unique_column_minds_the_case,
                a_unique_set_of_columns,
                null_is_never_the_same_in_a_unique_column,
                the_key,
                in_an_update,
                the_cause_is_kept,
                null_in_a_required_column needs checks,
                a_number_beyond_its_column needs checks,
            }
            references {
                a_row_refers_to_one_that_exists needs foreign_keys,
                an_update_refers_to_a_row_that_exists needs foreign_keys,
                a_row_that_is_referred_to_stays needs on_delete,
                restrict needs on_delete,
                on_delete_cascade needs on_delete,
                on_delete_set_null needs on_delete,
                on_update_cascade_of_a_unique_column needs foreign_keys,
                a_model_refers_to_itself needs foreign_keys,
                two_models_refer_to_each_other needs foreign_keys,
                tables_in_a_circle_are_made_and_dropped,
                a_reference_of_several_columns needs foreign_keys,
                a_reference_without_a_constraint_may_dangle,
                one_dangling_row_among_many_adds_none needs foreign_keys,
                rows_added_together_refer_to_each_other needs foreign_keys,
                the_error_says_what_it_knows needs foreign_keys,
            }
            deleting_referred_rows {
                over_two_levels needs on_delete,
                by_several_references needs on_delete,
                of_a_unique_column_that_is_no_key needs on_delete,
                the_default_is_set needs on_delete,
                held_up_below_a_cascade needs on_delete,
                of_rows_with_related_ones needs on_delete related_rows,
                in_a_transaction needs on_delete transactions,
                of_many_rows needs on_delete,
                a_tree_goes_with_its_root needs on_delete,
                a_circle_goes_whole needs on_delete,
                rows_that_refer_to_each_other_go_together needs on_delete,
                by_several_columns needs on_delete,
            }
            schema {
                creating_again_keeps_the_data,
                creating_twice_does_not_double_anything,
                a_named_schema_is_looked_into_or_refused,
                at_once_from_many_tasks,
                optional_columns_are_added,
                an_older_model_works_on_a_table_with_more,
                a_unique_index_is_added,
                a_unique_index_that_the_rows_violate_is_an_error,
                a_missing_required_column_is_a_misfit,
                a_column_of_another_type_is_a_misfit,
                another_key_is_a_misfit,
                a_required_column_for_an_optional_field_is_a_misfit,
                an_optional_column_for_a_required_field_is_a_misfit,
                every_misfit_is_named,
                two_models_with_one_table_at_once_are_a_misfit,
                dropped_tables_are_gone_with_their_rows,
                tables_that_refer_to_each_other_are_dropped_in_any_order,
                a_table_that_is_made_anew_is_read_as_it_is_now,
                a_table_that_is_made_anew_with_other_types_works_with_every_verb,
                a_table_that_grew_is_read_by_statements_kept_before,
                a_reference_to_what_is_not_unique_is_a_misfit,
            }
            names {
                keywords,
                quotes,
                names_that_would_be_statements,
                spaces,
                unicode,
                mixed_case,
                raw_identifiers,
                long_names,
                a_violation_names_columns_with_separators,
                columns_on_a_type_of_their_own,
            }
            run_time_schemas {
                rows_are_written_and_read,
                count_and_exists_are_one_value,
                updates_and_deletes_count_their_rows,
                constants_and_empty_lists_of_conditions,
                values_on_either_side,
                numbers_beyond_the_columns_range_compare,
                what_does_not_fit_the_schema_is_an_error,
                schemas_that_come_and_go,
            }
            errors {
                a_missing_table_is_an_error_of_each_verb,
                a_missing_table_has_a_cause_that_names_it,
                after_an_error_the_database_is_usable,
                a_value_that_does_not_fit_names_table_and_column,
                null_for_a_required_field_names_table_and_column,
                an_error_is_cloned_with_its_cause,
                a_closed_database_is_a_connection_error,
            }
            explaining {
                every_verb_without_running_it,
                what_is_wrong_is_found_as_when_it_runs,
            }
            privacy {
                queries_do_not_show_values,
                new_rows_do_not_show_values,
                explain_shows_values_only_when_asked,
                violations_do_not_show_values,
                invalid_values_are_not_shown,
                values_that_cannot_be_read_are_not_shown,
                a_missing_table_shows_no_values,
            }
            results {
                or_use_before_and_after_the_await,
                or_use_takes_any_failure,
                or_use_with_is_given_the_error,
                optional_is_none_without_a_row,
                optional_keeps_every_other_failure,
                or_raise_gives_an_error_of_the_application,
                an_operation_is_boxed_and_named,
                verbs_chain,
            }
            transactions {
                ok_commits needs transactions,
                an_error_of_the_application_rolls_back needs transactions,
                an_error_of_the_database_rolls_back needs transactions,
                begin_and_commit needs transactions,
                begin_and_roll_back needs transactions,
                dropped_it_is_rolled_back needs transactions,
                an_empty_transaction needs transactions,
                it_sees_its_own_changes needs transactions,
                every_verb_within_it needs transactions,
                a_bulk_add_is_part_of_it needs transactions,
                nobody_sees_it_before_the_commit needs transactions several_connections,
                nobody_ever_sees_what_is_rolled_back needs transactions several_connections,
                after_a_failed_statement_only_a_rollback_is_left needs transactions,
                a_failed_transaction_is_rolled_back_without_an_error needs transactions,
                a_failed_statement_prevents_the_commit needs transactions,
                not_found_leaves_it_usable needs transactions,
                a_stream_within_it needs transactions,
                another_statement_while_a_stream_is_open_is_an_error needs transactions,
                a_stream_dropped_early_within_it needs transactions,
                a_function_takes_any_handle needs transactions,
                statements_joined_on_one_transaction needs transactions,
                concurrent_transactions_lose_no_update needs transactions,
                a_transaction_in_a_task_of_its_own needs transactions,
            }
            concurrency {
                sixty_four_tasks_read_and_write,
                increments_of_one_row_are_not_lost,
                bulk_adds_from_many_tasks,
                a_statement_is_seen_whole,
                a_clone_is_the_same_database,
                operations_joined_in_one_task,
            }
            timeouts {
                a_time_that_has_passed_is_a_timeout,
                a_write_whose_time_has_passed_does_nothing,
                the_error_says_how_long_it_was,
                enough_time_changes_nothing,
                a_long_read_is_stopped,
                a_long_write_is_stopped_and_changes_nothing needs atomic_statements,
                a_long_stream_is_stopped,
                with_the_verbs_of_a_result,
                in_a_transaction_leaves_only_a_rollback needs transactions,
                waiting_for_a_transaction_to_end needs transactions,
                a_commit_whose_time_has_passed_undoes needs transactions,
                a_rollback_whose_time_has_passed_undoes needs transactions,
                the_limit_of_a_transaction_holds_for_its_statements needs transactions,
                the_limit_of_a_transaction_holds_for_its_commit needs transactions,
            }
            lazy_loading {
                one_statement_for_all_rows_of_a_query,
                a_reference_loads_what_it_refers_to,
                rows_that_refer_to_one_row_share_it,
                an_optional_reference_that_is_null_is_none,
                the_one_row_that_refers_to_a_row,
                rows_through_an_association_take_two_statements,
                rows_that_were_loaded_share_a_batch_too,
                in_any_order_and_twice,
                nothing_is_asked_when_no_row_refers_to_anything,
                a_row_that_came_alone_loads_for_itself,
                rows_that_were_added_have_relations,
                without_asking,
                for_one_row_and_no_other,
                again,
                set_and_taken_by_hand,
                a_struct_built_by_hand_is_detached,
                by_the_reference_as_it_is_now,
                a_saved_row_goes_by_what_was_saved,
                clones_share_what_is_loaded,
                at_the_same_time_it_is_asked_once,
                a_failure_is_not_kept,
                in_a_transaction_it_sees_what_was_done_there needs transactions,
                what_was_rolled_back_is_not_used_outside needs transactions,
                rows_of_a_stream_load_by_the_piece,
                a_load_that_is_dropped_is_done_by_the_next,
                from_several_tasks_it_is_asked_once,
                what_is_taken_outlives_the_rows,
            }
            including {
                of_many,
                of_several,
                to_any_depth,
                filtered_and_sorted,
                limited_per_row needs related_rows,
                limited_per_row_through_an_association needs related_rows,
                or_not_as_is_known_at_run_time,
                with_one_row,
                what_is_included_is_not_asked_again,
                with_a_page_of_rows,
                in_a_transaction needs transactions,
            }
            related_rows {
                some_row_meets_it needs related_rows,
                no_row_meets_it needs related_rows,
                every_row_meets_it needs related_rows,
                the_row_referred_to_meets_it needs related_rows,
                by_their_number needs related_rows,
                through_an_association needs related_rows,
                over_several_relations needs related_rows,
                in_an_update_and_a_delete needs related_rows,
                in_the_order_of_a_related_row needs related_rows,
                over_many_relations needs related_rows,
                an_invalid_condition_on_related_rows needs related_rows,
            }
            changing_relations {
                a_row_with_rows_that_refer_to_it needs transactions,
                a_row_with_the_row_that_it_refers_to needs transactions,
                a_row_with_rows_through_an_association needs transactions,
                many_rows_with_theirs needs transactions,
                all_of_it_or_nothing needs transactions,
                a_new_row_that_belongs_to_a_row needs transactions,
                a_row_is_made_to_belong_to_another,
                a_row_is_made_to_belong_to_none,
                a_row_that_belongs_to_a_row_is_removed,
                rows_are_associated_once,
                with_columns_of_the_association,
                rows_are_associated_and_no_others needs transactions,
                a_new_row_is_associated needs transactions,
                in_a_transaction needs transactions,
                an_upsert_takes_no_rows_with_it,
            }
            relation_shapes {
                a_tree_of_one_model_upwards,
                a_tree_of_one_model_downwards needs related_rows,
                a_tree_of_one_model_is_included,
                conditions_within_one_model needs related_rows,
                sorted_within_one_model needs related_rows,
                a_tree_of_one_model_is_added needs transactions,
                rows_that_refer_to_each_other_and_to_themselves needs related_rows,
                models_that_refer_to_each_other,
                a_circle_in_conditions_and_includes needs related_rows,
                by_a_unique_column_that_is_no_key needs related_rows,
                by_text_keys_of_many_rows,
                by_the_text_key_of_one_row,
                by_uuid_keys_of_many_rows,
                by_the_uuid_key_of_one_row,
                known_to_one_side_only needs related_rows,
                a_chain_of_models needs related_rows,
                of_tables_and_columns_with_other_names needs related_rows,
                beside_fields_that_are_no_columns,
                with_columns_on_a_type_of_their_own needs related_rows,
            }
            composite_relations {
                rows_that_refer_by_several_columns,
                a_reference_of_several_columns,
                conditions_by_several_columns needs related_rows,
                sorted_by_a_row_of_several_key_columns needs related_rows,
                included_and_limited_by_several_columns needs related_rows,
                a_part_of_the_reference_was_changed,
                rows_belong_by_several_columns,
                many_keys_of_several_columns needs related_rows,
                more_keys_of_several_columns_than_one_statement_takes,
            }
            associations {
                two_relations_to_one_model,
                two_relations_from_one_model needs related_rows,
                conditions_on_two_relations_of_one_model needs related_rows,
                of_a_model_with_itself,
                friends_of_friends needs related_rows,
                by_columns_of_the_association needs related_rows,
                a_link_goes_one_way needs related_rows,
                a_row_associated_twice_is_there_twice needs related_rows,
                with_a_key_of_its_own_a_link_is_made_once needs transactions,
                with_a_key_of_its_own_an_unlink_takes_all,
            }
            dangling_relations {
                a_required_row_that_is_not_there,
                an_optional_row_that_is_not_there,
                a_row_that_comes_later_is_found_by_the_next_load,
                is_none_of_null_and_of_what_is_not_there needs related_rows,
                sorts_as_null needs related_rows,
                is_included_as_none,
                associations_that_lead_nowhere needs related_rows,
                the_first_by_key_of_several_where_one_is_wanted needs related_rows,
                null_belongs_to_nothing needs related_rows,
            }
            including_pairs {
                each_kind_in_what_a_row_belongs_to,
                each_kind_in_the_one_row_that_belongs_to_it,
                each_kind_in_the_rows_that_belong_to_it,
                each_kind_in_the_rows_through_an_association,
                limited_on_each_level needs related_rows,
                of_no_rows needs related_rows,
                of_rows_to_which_nothing_belongs needs related_rows,
                with_limits_of_none_and_of_more_than_there_are needs related_rows,
                what_is_limited_stays_in_its_order needs related_rows,
                filtered_by_further_relations needs related_rows,
                of_thousands_of_rows needs related_rows,
                thousands_of_rows_load_at_once,
            }
            cancellation {
                of_reads,
                of_a_bulk_add_adds_all_or_none needs transactions,
                of_writes_does_all_or_nothing needs atomic_statements,
                of_a_transaction_rolls_it_back needs transactions,
                of_a_statement_in_a_transaction_leaves_the_rest needs transactions,
                of_those_who_wait_for_a_connection needs transactions,
                of_begin needs transactions,
                of_creating_tables,
            }
        }
    };
}

__behaviours! { (table) }
